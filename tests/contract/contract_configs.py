"""Reading a bundle's configs as MONAI would, without running anything."""

import ast
import builtins
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from common.command import completed
from common.export.configs import merge
from common.export.rewrite import import_problem, import_statement

GIVEN = {"monai", "torch", "np", "numpy", *dir(builtins)}  # what MONAI binds for every expression
COMPONENT_KEYS = {"_disabled_", "_requires_", "_mode_", "_desc_"}
REFERENCE = re.compile(r"@(\w+(?:(?:#|::)\w+)*)")


def main_recipe(bundle: Path) -> Path:
    """What overlays are laid over: the training, or the analysis of a bundle that trains nothing."""
    training = bundle / "configs" / "train.yaml"
    return training if training.is_file() else bundle / "configs" / "analyse.yaml"


def overlays(bundle: Path) -> list[Path]:
    """Config files that change the base; those that stand alone have a `bundle_root`."""
    return [path for path in sorted((bundle / "configs").rglob("*.yaml")) if not stands_alone(path)]


def whole_configs(bundle: Path) -> list[Path]:
    return [path for path in sorted((bundle / "configs").rglob("*.yaml")) if stands_alone(path)]


def stands_alone(path: Path) -> bool:
    return "bundle_root" in load(path)


@cache
def _load(path: Path, _changed: float) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())  # an overlay's nested keys stay as they are written


def load(path: Path) -> dict[str, Any]:
    return _load(path, path.stat().st_mtime)


def every_config(bundle: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The base, the base with each overlay, and the configs that stand alone, by a name for messages."""
    recipe = load(main_recipe(bundle))
    for path in whole_configs(bundle):
        yield str(path.relative_to(bundle)), completed(load(path))
    for path in overlays(bundle):
        if not missing_keys(recipe, load(path)):
            yield f"{main_recipe(bundle).name} with {path.relative_to(bundle)}", completed(merge(recipe, load(path)))


def leaves(config: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every entry that is no container, by id."""
    items = config.items() if isinstance(config, dict) else enumerate(config) if isinstance(config, list) else None
    if items is None:
        yield where, config
        return
    for key, value in items:
        yield from leaves(value, f"{where}#{key}" if where else str(key))


def find(config: Any, name: str) -> Any:
    """Entry of an id; KeyError where there is none."""
    for key in re.split("#|::", name):
        try:
            config = config[int(key) if isinstance(config, list) else key]
        except (IndexError, TypeError, ValueError) as error:
            raise KeyError(name) from error
    return config


def missing_keys(recipe: dict[str, Any], overlay: dict[str, Any]) -> list[str]:
    """Keys of an overlay that change nothing, or that MONAI cannot set.

    A key changes something when it is in the completed recipe, is an argument of a component, or is used by the
    overlay. The parents of a nested one are in the recipe itself: MONAI lays overlays over it before it is completed.
    """
    base = completed(recipe)
    used = {name for _, value in leaves(overlay) if isinstance(value, str) for name in REFERENCE.findall(value)}
    names = {key: key.removeprefix("+") for key in overlay if key not in used}
    return [
        key
        for key, name in names.items()
        if not _exists(base, name) or ("#" in name and not _is_in(recipe, name.rpartition("#")[0]))
    ]


def _exists(base: dict[str, Any], name: str) -> bool:
    parent, _, last = name.rpartition("#")
    try:
        find(base, name)
        return True
    except KeyError:
        pass
    try:
        component = find(base, parent) if parent else None
    except KeyError:
        return False
    if not isinstance(component, dict) or "_target_" not in component:
        return False
    return last in COMPONENT_KEYS or last in arguments(component["_target_"])


@cache
def arguments(target: str) -> frozenset[str]:
    """Names of a component's arguments."""
    module, _, name = target.rpartition(".")
    return frozenset(inspect.signature(getattr(importlib.import_module(module), name)).parameters)


def expression_problems(config: dict[str, Any]) -> list[str]:
    """Imports that MONAI would not bind, names that nothing binds, references to nothing."""
    problems, bound, spoken = [], set(GIVEN), []
    for where, value in leaves(config):
        if not isinstance(value, str):
            continue
        if value.startswith("$") and (statement := import_statement(value)) is not None:
            problems += [f"{where}: {value} {problem}" for problem in [import_problem(statement)] if problem]
            bound |= {alias.asname or alias.name for alias in statement.names}
            continue
        if value.startswith("$"):
            spoken.append((where, value))
        if value.startswith(("$", "@")):
            problems += [
                f"{where}: @{name} refers to nothing" for name in REFERENCE.findall(value) if not _is_in(config, name)
            ]
    for where, value in spoken:
        try:
            names = free_names(REFERENCE.sub("__reference__", value[1:]))
        except SyntaxError as error:
            problems.append(f"{where}: {value} is no expression: {error.msg}")
            continue
        problems += [f"{where}: nothing binds {name} in {value}" for name in sorted(names - bound - {"__reference__"})]
    return problems


def _is_in(config: dict[str, Any], name: str) -> bool:
    try:
        find(config, name)
    except KeyError:
        return False
    return True


def free_names(expression: str) -> set[str]:
    """Names that an expression takes from outside; those of its lambdas and comprehensions are its own."""
    tree = ast.parse(expression.strip(), mode="eval")
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return names - own
