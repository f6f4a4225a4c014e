"""Recipes that say only what is their own: `base: NAME` lays one over `common/recipes/NAME.yaml`.

MONAI merges the files that a command lists, but a recipe is one file, and none of MONAI's ways of naming another file
from within it lets a command line still set `train#trainer#max_epochs`. So a recipe is completed when its `initialize`
begins, after MONAI has laid overlays and command line over it. Whoever reads a recipe without running it, as the export
does, completes it with `completed`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from .callers import current_workflow

if TYPE_CHECKING:
    from monai.bundle import ConfigParser

BASE = "base"
FOLDER = Path(__file__).parents[1] / "recipes"


def completed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config with what it leaves to its base, which may have one itself; one without a base is only copied.

    Its own values win. A mapping is laid over the base's key by key, unless both name a `_target_`: then it stands for
    itself. Lists are not merged.

    Args:
        config: a recipe, with or without overlays and overrides in it.

    Raises:
        FileNotFoundError: there is no such base.
    """
    own = dict(config)
    name = own.pop(BASE, None)
    if name is None:
        return own
    file = FOLDER / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in FOLDER.glob("*.yaml")))
        raise FileNotFoundError(f"`{BASE}` is {name!r}, and common/recipes has {known}. Name one of these.")
    return _laid_over(completed(yaml.safe_load(file.read_text(encoding="utf-8"))), own)


def read_recipe(*files: str | Path) -> "ConfigParser":
    """MONAI's parser of a recipe and its overlays, completed; for programs that take single parts of it.

    Args:
        files: the recipe first.
    """
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config([str(file) for file in files])
    parser.set(completed(parser.get()))
    return parser


def complete_workflow() -> None:
    """Complete the config of the workflow that is being initialized."""
    workflow = current_workflow()
    if workflow is None or BASE not in workflow.parser:
        return
    workflow.parser.set(completed(workflow.parser.get()))
    workflow.parser.parse(reset=True)


def _laid_over(base: Any, own: Any) -> Any:
    if not isinstance(base, Mapping) or not isinstance(own, Mapping):
        return own
    if "_target_" in own and "_target_" in base:
        return own
    merged = {key: _laid_over(base[key], own[key]) if key in own else value for key, value in base.items()}
    return {**merged, **{key: value for key, value in own.items() if key not in base}}
