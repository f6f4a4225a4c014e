"""Nested values as flat names, in the alphabet that MLflow allows."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

FORBIDDEN = re.compile(r"[^\w\-. /:]")
LONGEST_NAME, LONGEST_VALUE = 250, 6000  # MLflow's limits


def params(value: Any, name: str = "") -> dict[str, str]:
    """Leaves of a config by dotted name; empty containers are leaves.

    Args:
        value: nested mappings and lists.
        name: of the value itself.
    """
    if isinstance(value, Mapping | list | tuple) and value:
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        return {key: leaf for k, v in items for key, leaf in params(v, f"{name}.{k}" if name else str(k)).items()}
    return {_allowed(name): str(value)[:LONGEST_VALUE]}


def scalars(value: Any, name: str) -> Iterator[tuple[str, float]]:
    """Numbers of a metric by name; the entries of a vector are numbered, what is undefined or no number is left out.

    Args:
        value: number, tensor, array, or a mapping or list of these.
        name: of the value itself.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from scalars(item, f"{name}/{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from scalars(item, f"{name}/{index}")
    elif isinstance(value, torch.Tensor | np.ndarray | np.generic):
        numbers = value.tolist()
        if isinstance(numbers, list):
            yield from scalars(numbers, name)
        else:
            yield from scalars(numbers, name)
    elif isinstance(value, int | float) and not math.isnan(value):
        yield _allowed(name), float(value)


def _allowed(name: str) -> str:
    return FORBIDDEN.sub("_", name)[:LONGEST_NAME]
