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
    return laid_over(base_of(config), {key: value for key, value in config.items() if key != BASE})


def base_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a config is laid over, itself completed; empty where it names no base.

    Args:
        config: a recipe.

    Raises:
        FileNotFoundError: there is no such base.
    """
    name = config.get(BASE)
    if name is None:
        return {}
    file = FOLDER / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in FOLDER.glob("*.yaml")))
        raise FileNotFoundError(f"`{BASE}` is {name!r}, and common/recipes has {known}. Name one of these.")
    return completed(yaml.safe_load(file.read_text(encoding="utf-8")))


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


def laid_over(base: Any, own: Any) -> Any:
    """A value of a recipe, with what it leaves to the base's."""
    if not is_laid_over(base, own):
        return own
    merged = {key: laid_over(base[key], own[key]) if key in own else value for key, value in base.items()}
    return {**merged, **{key: value for key, value in own.items() if key not in base}}


def is_laid_over(base: Any, own: Any) -> bool:
    """Whether a value goes over the base's, instead of taking its place: two mappings, but not two components."""
    are_mappings = isinstance(base, Mapping) and isinstance(own, Mapping)
    return are_mappings and not ("_target_" in own and "_target_" in base)
