"""The key that was meant by a mistyped one. Nothing is imported or built for it, so that it is told at once."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

SYNTAX = ("_target_", "_disabled_", "_requires_", "_desc_", "_mode_")
"""Keys with a meaning to MONAI in every component."""

CLOSE = 0.75
"""Similarity (difflib's ratio) from which on a key counts as a misspelling of another."""


def suggestion(config: Any, known: Iterable[str], key: str, inside: str) -> str:
    """Say that a key is unknown, and which one of its place or, failing that, of elsewhere is nearest to it.

    Args:
        config: merged.
        known: keys that its place has.
        key: that was given.
        inside: the place, as `a#b`; "" for the top level.
    """
    where = f"{inside} has" if inside else "the config has"
    prefix = f"{inside}#" if inside else ""
    known = list(dict.fromkeys(known))
    elsewhere = {path.rsplit("#", 1)[-1]: path for path in _paths(config)}
    meant = "" if key in elsewhere else hint(key, known, prefix)
    if not meant:
        meant = hint(key, [name for name in elsewhere if name not in known], "", elsewhere)
    return f"{where} no {key!r}{meant or '; it has ' + ', '.join(k for k in known if k not in SYNTAX)}"


def hint(key: str, known: Iterable[str], prefix: str, full: Mapping[str, str] | None = None) -> str:
    """A question after the nearest key; nothing where none is near.

    Args:
        key: that was given.
        known: those that it may stand for.
        prefix: of the place that they are in.
        full: how a known key is written in whole, where that is not the prefix and itself.
    """
    meant = nearest(key, known, 0.6)
    return f"; did you mean {prefix}{(full or {}).get(meant, meant)}?" if meant else ""


def nearest(key: str, known: Iterable[str], cutoff: float = CLOSE) -> str | None:
    """The most similar of some keys; None where none is similar."""
    return next(iter(difflib.get_close_matches(key, list(known), n=1, cutoff=cutoff)), None)


def references(node: Any) -> Iterator[str]:
    """Ids that references, expressions and macros anywhere in a config use."""
    if isinstance(node, str):
        for name in re.findall(r"[@%]([\w#:]+)", node):
            yield "#".join(split(name))
    elif isinstance(node, Mapping | list):
        for item in node.values() if isinstance(node, Mapping) else node:
            yield from references(item)


def split(key: str) -> list[str]:
    """The keys of an id, `a#b` or `a::b`."""
    return key.replace("::", "#").split("#")


def _paths(node: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield f"{prefix}{key}"
            yield from _paths(value, f"{prefix}{key}#")
