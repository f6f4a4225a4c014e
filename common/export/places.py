"""An exported bundle keeps to its own folder: its default places, and the code it runs."""

import re
from collections.abc import Mapping
from typing import Any

from .configs import PLACE, is_machine_path
from .rewrite import SHARED

_IMPORT = f"$import {SHARED}"
_CHECK = f"${SHARED}.command.refuse_foreign_code()"
_COMPUTED = re.compile(r"^[$@%]")


def anchored(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy whose relative default folders and files lie below `bundle_root`.

    A client such as a federated site or a labelling server starts in a folder of its own. What a command line gives
    stays relative to where it is typed.

    Args:
        config: whole config with portable defaults.
    """
    return {key: _anchored(value) if _is_place(key, value) else value for key, value in config.items()}


def with_own_code(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that begins by refusing to run another bundle's code (`common.command.refuse_foreign_code`)."""
    steps = config.get("initialize")
    if not isinstance(steps, list) or _IMPORT not in steps:
        return dict(config)
    after = steps.index(_IMPORT) + 1
    return {**config, "initialize": [*steps[:after], _CHECK, *steps[after:]]}


def _is_place(key: str, value: Any) -> bool:
    if key in ("bundle_root", "run_name") or not PLACE.match(key) or not isinstance(value, str):
        return False
    return not _COMPUTED.match(value) and not is_machine_path(value)


def _anchored(value: str) -> str:
    return f"$@bundle_root + {'/' + value!r}"
