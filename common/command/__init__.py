"""The command line: overrides and their keys, stages, and what a person reads when something is wrong."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .beginning import begin
    from .changes import changes_name
    from .given import merged_config
    from .known_keys import refuse_unknown_keys
    from .naming import bounded, share_name, start_name
    from .one_run import open_run
    from .own_code import refuse_foreign_code
    from .recipe import completed, read_recipe
    from .stages import Stage, current_stage, run_stages

# These import MONAI, which takes seconds.
LAZY = {
    "Stage": "stages",
    "begin": "beginning",
    "bounded": "naming",
    "changes_name": "changes",
    "completed": "recipe",
    "current_stage": "stages",
    "merged_config": "given",
    "open_run": "one_run",
    "read_recipe": "recipe",
    "refuse_foreign_code": "own_code",
    "refuse_unknown_keys": "known_keys",
    "run_stages": "stages",
    "share_name": "naming",
    "start_name": "naming",
}

__all__ = [
    "Stage",
    "begin",
    "bounded",
    "changes_name",
    "completed",
    "current_stage",
    "merged_config",
    "open_run",
    "read_recipe",
    "refuse_foreign_code",
    "refuse_unknown_keys",
    "run_stages",
    "share_name",
    "start_name",
]


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return getattr(import_module(f".{LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__} has no attribute {name!r}")
