"""Mistyped keys of overlays and command lines, refused with the nearest known key."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..engines import interruptions
from . import excepthook
from .given import Command, calling_command, current_command
from .literal import read_literally
from .nearest_keys import SYNTAX, hint, nearest, references, split, suggestion
from .places import component, lookup
from .recipe import base_of, completed, is_laid_over, laid_over
from .run_files import is_run_config
from .value_kinds import own_wrong_values, wrong_values

OF_THE_READER = "dataset_options"
"""Whose keys the data set's reader knows, and refuses when it does not."""


def refuse_unknown_keys() -> None:
    """End the command when one of its overlays or overrides names a key that its config does not have.

    MONAI takes an unknown key in silence, and the run goes on with the value it should have replaced. Standing first in
    `initialize`, this ends the process by `SystemExit` with the message as its whole output: MONAI would bury an
    ordinary error of an expression under its own traceback. It also sees to it that the cause of any later error
    is the last thing on the screen, and that Ctrl-C, SIGTERM and their like end the command in order. Keywords that
    Python gives to `create_workflow` are looked at in the same way, and signals are then left alone.
    """
    command = current_command()
    if command is not None:
        excepthook.install()
        interruptions.install()
        read_literally({key.replace("#", "::"): path for key, path in command.paths.items()})
    else:
        command = calling_command()
    if command is None:
        return
    problems = unknown_keys(command)
    if problems:
        raise SystemExit("\n".join(["Nothing was run, since the command does not fit its config:", *problems]))


def unknown_keys(command: Command) -> list[str]:
    """Describe every key that the files before it do not know, one line each.

    A new key is known in a component whose class or function takes an argument of that name, in an empty mapping
    (options are often one), wherever an expression or reference uses it, and where MONAI gives it a meaning. A run's
    own config was looked at when it was trained; what used one of its keys then may have been overridden.

    Args:
        command: its first file is the base.
    """
    from monai.bundle import ConfigParser
    from monai.bundle.properties import InferProperties, TrainProperties
    from monai.bundle.utils import merge_kv

    parser = ConfigParser(ConfigParser.load_config_file(command.files[0]), globals=False)  # completed last, as in a run
    base, recipe = base_of(parser.get()), completed(parser.get())
    layers: list[tuple[str, Mapping[str, Any]]] = [
        (f"{file}: {{}}", ConfigParser.load_config_file(file)) for file in command.files[1:]
    ]
    layers += [(f"{command.args_file}: {{}}", command.defaults), ("--{}", command.flags)]
    names = set(references([recipe, *(layer for _, layer in layers)]))
    names |= {key for file in command.files[1:] if is_run_config(file) for key in ConfigParser.load_config_file(file)}
    properties: list[Any] = [*TrainProperties.values(), *InferProperties.values()]
    names |= {"#".join(split(item["id"])) for item in properties}
    if command.tracking is not None:
        names |= {"output_dir", "tracking_uri", "experiment_name", "run_name", "save_execute_config"}

    problems = []
    own = own_wrong_values(recipe)
    for origin, layer in layers:
        for key, value in layer.items():
            id_ = key.removeprefix("+")
            path, whole = split(id_), laid_over(base, parser.get())
            merge = key[0] == "+"
            if not merge and is_laid_over(lookup(base, path), value):
                merge = True  # over what the base has there, in place of what the recipe says
                named = {"_target_": value["_target_"]} if "_target_" in value else {}
                ConfigParser(whole, globals=False)[id_] = {**lookup(base, path), **named}
            found = list(_problems(whole, path, value, names, merge))
            found += (_misread(value) if layer is command.flags else []) or wrong_values(whole, path, value, merge)
            problems += [f"  {origin.format(key)}: {problem}" for problem in found]
            if not found and id_ in parser:
                merge_kv(parser, key, value)
            elif not found:
                parser.set(value, id_)
    merged = laid_over(base, parser.get())
    for origin, layer in layers:
        for key in layer:
            problems += [f"  {origin.format(key)}: {problem}" for problem in _left_over(merged, split(key))]
    kept = [(path, problem) for path, problem in own if lookup(merged, path) == lookup(recipe, path)]
    return [f"  {command.files[0]}: {'#'.join(path)}: {problem}" for path, problem in kept] + problems


def _left_over(config: Any, path: Sequence[str]) -> Iterator[str]:
    """Arguments of the class or function before, which a new `_target_` does not take."""
    if path[-1] != "_target_":
        return
    component_, inside = lookup(config, path[:-1]), "#".join(path[:-1])
    takes, anything = _parameters(component_["_target_"])
    left = [repr(key) for key in component_ if key not in SYNTAX and key not in takes and not anything]
    if left:
        yield (
            f"{component_['_target_']} takes no {', '.join(left)}, which the recipe gives to {inside}; "
            f"replace it whole: --{inside} \"{{'_target_': '{component_['_target_']}'}}\""
        )


def _misread(value: Any) -> list[str]:
    """What the command line reads as text, and thus as true, though something else was meant."""
    meant = {"true": "True", "false": "False", "null": "'$None'"}
    if isinstance(value, str) and value.lower() in meant:
        return [f"{value!r} is text on a command line; write {meant[value.lower()]}"]
    return []


def _problems(config: Any, path: Sequence[str], value: Any, names: set[str], merge: bool) -> Iterator[str]:
    node: Any = config
    for depth, key in enumerate(path):
        inside = "#".join(path[:depth])
        if isinstance(node, list) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict) and key in node:
            node = node[key]
        elif not isinstance(node, dict):
            yield f"{inside} is {_shown(node)}, which has no {key!r}"
            return
        elif depth < len(path) - 1 or not _may_be_new(node, key, "#".join(path), names):
            takes = _parameters(node["_target_"])[0] if "_target_" in node else []
            yield suggestion(config, [*node, *takes], key, inside)
            return
    if merge and isinstance(value, Mapping) and isinstance(node, dict):
        for key, item in value.items():
            yield from _problems(config, [*path, str(key)], item, names, merge=False)
        return
    yield from _wrong_arguments(value, "#".join(path))


def _may_be_new(parent: dict, key: str, path: str, names: set[str]) -> bool:
    if path in names or path == f"{OF_THE_READER}#{key}":
        return True
    if "_target_" in parent:
        takes, anything = _parameters(parent["_target_"])
        return key in SYNTAX or key in takes or (anything and not nearest(key, [*takes, *parent]))
    options = all(not isinstance(value, dict | list) for value in parent.values())
    return not parent or (bool("#" in path) and options and not nearest(key, parent))


def _wrong_arguments(value: Any, path: str) -> Iterator[str]:
    """Arguments, in a value of an overlay, that its components do not take."""
    if isinstance(value, Mapping):
        if "_target_" in value:
            takes, anything = _parameters(value["_target_"])
            for key in value:
                if key not in SYNTAX and key not in takes and not anything:
                    yield f"{path} ({value['_target_']}) takes no {key!r}{hint(key, takes, '')}"
        for key, item in value.items():
            yield from _wrong_arguments(item, f"{path}#{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _wrong_arguments(item, f"{path}#{index}")


def _parameters(target: Any) -> tuple[list[str], bool]:
    """Argument names of a component, and whether it may take others."""
    try:
        parameters = inspect.signature(component(target)).parameters.values()
    except (TypeError, ValueError):  # cannot be imported, or is written in C
        return [], True
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters)
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)], anything


def _shown(value: Any) -> str:
    return f"a list of {len(value)}" if isinstance(value, list) else f"the value {value!r}"
