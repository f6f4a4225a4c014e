"""Nested values as flat names, in the alphabet that MLflow allows."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

FORBIDDEN = re.compile(r"[^\w\-. /:]")
_DOTS = re.compile(r"^\.{1,2}$")
LONGEST_NAME, LONGEST_VALUE = 250, 6000  # MLflow's limits


def params(value: Any, name: str = "") -> dict[str, str]:
    """Leaves of a config by dotted name; empty containers are leaves.

    Args:
        value: nested mappings and lists.
        name: of the value itself.
    """
    leaves = dict(_leaves(value, name))
    names = allowed(leaves)
    return {names[name]: leaf for name, leaf in leaves.items()}


def _leaves(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping | list | tuple) and value:
        for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _leaves(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, str(value)[:LONGEST_VALUE]


def metrics(values: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of several metrics by name, `scalars` of each; one that is undefined has its name all the same."""
    numbers = {path: number for name, value in values.items() for path, number in _numbers(value, name)}
    names = allowed(numbers)  # of the undefined too: a class is called the same at every step
    return {names[name]: number for name, number in numbers.items() if not math.isnan(number)}


def scalars(value: Any, name: str) -> Iterator[tuple[str, float]]:
    """Numbers of a metric by name; the entries of a vector are numbered, what is undefined or no number is left out.

    Args:
        value: number, tensor, array, or a mapping or list of these.
        name: of the value itself.
    """
    yield from metrics({name: value}).items()


def _numbers(value: Any, name: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(item, f"{name}/{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{name}/{index}")
    elif isinstance(value, torch.Tensor | np.ndarray | np.generic):
        yield from _numbers(value.tolist(), name)
    elif isinstance(value, int | float):
        yield name, float(value)


def allowed(names: Iterable[str]) -> dict[str, str]:
    """The form that MLflow takes of each name, as different as they are.

    What it forbids becomes `_`: other letters, and parts of a path that are empty, `.` or `..`. Of names that would
    then be the same, those that had to change end with a few letters of their checksum.

    Args:
        names: all that stand beside each other.
    """
    plain = {name: _allowed(name) for name in names}
    shared = Counter(plain.values())
    return {
        name: made if made == name or shared[made] == 1 else f"{made[: LONGEST_NAME - 9]}-{_checksum(name)}"
        for name, made in plain.items()
    }


def _allowed(name: str) -> str:
    parts = (_DOTS.sub(lambda dots: "_" * len(dots[0]), part) or "_" for part in FORBIDDEN.sub("_", name).split("/"))
    return re.sub(r"/$", "_", re.sub(r"^\.\.", "__", "/".join(parts))[:LONGEST_NAME])


def _checksum(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
