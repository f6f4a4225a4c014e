"""Bring other projects' names of weights to timm's."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor


def rename(weights: Mapping[str, Tensor], key_map: Mapping[str, str]) -> dict[str, Tensor]:
    """Replace parts of names.

    Args:
        weights: by name.
        key_map: regular expressions and what takes the place of each match, one after the other, such as
            `{"^trunk[.]": "", "[.]gamma$": ".weight"}`; a name of which nothing is left is dropped.

    Raises:
        ValueError: an expression is none, or two names become one.
    """
    renamed: dict[str, Tensor] = {}
    for name, value in weights.items():
        new = name
        for pattern, replacement in key_map.items():
            try:
                new = re.sub(pattern, replacement, new)
            except re.error as error:
                raise ValueError(
                    f"key_map: {pattern!r} -> {replacement!r} is no regular expression: {error}"
                ) from error
        if new in renamed:
            raise ValueError(
                f"key_map: two names of the file become '{new}', the second being '{name}'; narrow it down."
            )
        if new:
            renamed[new] = value
    return renamed


def parse_key_map(pairs: Iterable[str]) -> dict[str, str]:
    """Read a key map from a command line's words OLD=NEW.

    Raises:
        ValueError: a word without "=".
    """
    found = {}
    for pair in pairs:
        old, equals, new = pair.rpartition("=")  # names hold no "=", but regular expressions may
        if not equals:
            raise ValueError(f"--key-map {pair!r} is not OLD=NEW; write for example '^trunk[.]='.")
        found[old] = new
    return found
