"""The command line: overrides and their keys, stages, and what a person reads when something is wrong."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .given import merged_config
    from .known_keys import refuse_unknown_keys
    from .own_code import refuse_foreign_code
    from .stages import Stage, current_stage, run_stages

# These import MONAI, which takes seconds.
LAZY = {
    "Stage": "stages",
    "current_stage": "stages",
    "merged_config": "given",
    "refuse_foreign_code": "own_code",
    "refuse_unknown_keys": "known_keys",
    "run_stages": "stages",
}

__all__ = [
    "Stage",
    "current_stage",
    "merged_config",
    "refuse_foreign_code",
    "refuse_unknown_keys",
    "run_stages",
]


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return getattr(import_module(f".{LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__} has no attribute {name!r}")
