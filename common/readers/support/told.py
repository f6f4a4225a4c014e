"""What the folders above a file tell about it: its class, or its split."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from .spelling import folded, spelled

Value = TypeVar("Value")


def told_by_folders(paths: Iterable[Path], base: Path, values: Mapping[str, Value]) -> dict[Path, Value | None]:
    """Return folder of a file -> value of the nearest folder above that is named like one; None where none is.

    Args:
        paths: files, of which each folder is looked at once.
        base: the root; folders above it tell nothing.
        values: name of a folder -> what it tells; any spelling of the name will do.

    Example:
        >>> files = [Path("/data/test/images/1.png"), Path("/data/2.png")]
        >>> [value for value in told_by_folders(files, Path("/data"), {"test": "test"}).values()]
        ['test', None]
    """
    return {folder: _nearest(folder, base, values) for folder in dict.fromkeys(path.parent for path in paths)}


def _nearest(folder: Path, base: Path, values: Mapping[str, Value]) -> Value | None:
    for name in reversed(folder.relative_to(base).parts):
        value = spelled(values, name, folded)
        if value is not None:
            return value
    return None
