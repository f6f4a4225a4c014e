"""Values of another kind than their place takes: text where a number belongs, or where True or False does.

Nothing is evaluated. What a place takes is told by the annotations of the arguments that its value reaches, by the
value that it replaces, or by an expression that can only be a number.
"""

import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .number_expressions import is_number
from .places import component, is_plain, lookup, reached, texts

NUMBER, TRUTH = "a number", "True or False"
_LEAVES = {NUMBER: {"int", "float", "complex", "Tensor", "NoneType"}, TRUTH: {"bool", "NoneType"}}
_CONTAINERS = {"list", "tuple", "Sequence", "Iterable", "Collection", "Mapping", "dict"}


def wrong_values(config: Any, path: Sequence[str], value: Any, merge: bool = False) -> list[str]:
    """Describe each value of another kind than its place takes.

    Args:
        config: merged so far, which the value goes into.
        path: keys to its place.
        value: a plain value, or a mapping or list of them.
        merge: whether a mapping's items are laid over those that are there, or take their place.
    """
    return list(_wrong(config, [*path], value, lookup(config, path[:-1]), lookup(config, path), merge, ""))


def own_wrong_values(config: Any) -> list[tuple[list[str], str]]:
    """Texts of a config itself where the arguments that they reach are numbers or truth values: path and problem."""
    found = []
    for path, value in texts(config):
        for kind, why in _reached_kinds(config, path, lookup(config, path[:-1])):
            found.append((path, _problem(value, kind, why)))
            break
    return found


def _wrong(config: Any, path: list[str], value: Any, owner: Any, known: Any, merge: bool, inside: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        there = known if merge and isinstance(known, Mapping) else {}
        for key, item in value.items():
            after = {**there, **value}
            yield from _wrong(config, [*path, key], item, after, there.get(key), merge, f"{inside}#{key}")
        return
    problem = _mistaken(config, path, value, owner, known)
    if problem is not None:
        yield f"{inside[1:]} = {problem}" if inside else problem
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _wrong(config, [*path, str(index)], item, value, None, False, f"{inside}#{index}")


def _mistaken(config: Any, path: list[str], value: Any, owner: Any, known: Any) -> str | None:
    is_text, is_truth = isinstance(value, str) and is_plain(value), isinstance(value, bool)
    is_argument = isinstance(owner, Mapping) and "_target_" in owner
    if is_number(known, config) and (is_text or is_truth or (isinstance(value, list | tuple) and not is_argument)):
        return _problem(value, NUMBER, f"{'in place of' if isinstance(known, str) else 'such as'} {known}")
    if isinstance(known, bool) and is_text and not is_argument:
        return _problem(value, TRUTH, f"such as {known}")
    for kind, why in _reached_kinds(config, path, owner) if is_text or is_truth else ():
        if is_text or kind == NUMBER:
            return _problem(value, kind, why)
    return None


def _problem(value: Any, kind: str, why: str) -> str:
    remedy = _remedy(value) if isinstance(value, str) and kind == NUMBER else None
    hint = f"; YAML reads this as text, so write {remedy}" if remedy else ""
    return f"{value!r} is given where {kind} belongs, {why}{hint}"


def _remedy(text: str) -> str | None:
    """A number such as 1e-3, which is text to YAML 1.1, written so that it is a number."""
    found = re.fullmatch(r"([-+]?)(?=\.?\d)(\d*)\.?(\d*)[eE]([-+]?)(\d+)", text.strip())
    if found is None:
        return None
    sign, whole, fraction, power, digits = found.groups()
    return f"{sign}{whole or 0}.{fraction or 0}e{power or '+'}{digits}"


def _reached_kinds(config: Any, path: list[str], owner: Any) -> Iterator[tuple[str, str]]:
    own = [(owner["_target_"], path[-1])] if isinstance(owner, Mapping) and "_target_" in owner else []
    for target, argument in [*own, *reached(config, path)]:
        kind = _kind(component(target), argument)
        if kind is not None:
            yield kind, f"which {target} takes as {argument}"


def _kind(function: Any, argument: str) -> str | None:
    """What the annotation of an argument allows, where that is numbers or truth values alone."""
    try:
        noted = inspect.signature(function).parameters[argument].annotation
        names = getattr(inspect.unwrap(function.__init__ if inspect.isclass(function) else function), "__globals__", {})
        hint = typing.get_type_hints(types.SimpleNamespace(__annotations__={argument: noted}), names)[argument]
    except Exception:  # no such argument, or a name in its annotation that only a type checker imports
        return None
    leaves = set(_leaves(hint))
    if leaves & {"int", "float"} and leaves <= _LEAVES[NUMBER]:
        return NUMBER
    return TRUTH if "bool" in leaves and leaves <= _LEAVES[TRUTH] else None


def _leaves(hint: Any) -> Iterator[str]:
    """Names of the types that an annotation is made of; one unlike any other where it is not of types alone."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is None:
        yield "..." if hint is ... else getattr(hint, "__name__", "?")
    elif origin in (typing.Union, types.UnionType) or origin.__name__ in _CONTAINERS:
        for part in parts:
            yield from _leaves(part) if part is not ... else ()
    else:
        yield "?"
