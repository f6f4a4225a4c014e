"""Copies of files: what has the same bytes. A name and a size tell nothing, since scanners name and size all alike."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...images.formats.pairs import files_of

START = 1 << 16  # bytes that tell most files apart
BLOCK = 1 << 22


def equal_files(paths: Sequence[Path]) -> list[list[Path]]:
    """Group files, or folders of a series, by their bytes; only those of one size are opened.

    A file that cannot be read equals no other.
    """
    groups = [list(paths)]
    for fact in (_size, lambda path: digest_of(path, START), digest_of):
        groups = [part for group in groups for part in (_parted(group, fact) if len(group) > 1 else [group])]
    return groups


def without_nested(paths: Sequence[Path], base: Path) -> list[Path]:
    """Leave out what an archive that holds a copy of itself nests: the same bytes at the same path in a deeper folder.

    Args:
        paths: below `base`.
        base: the root, from which paths are compared.
    """
    by_name = defaultdict(list)
    for path in paths:
        by_name[path.name].append(path)
    nested: set[Path] = set()
    for group in by_name.values():
        if len(group) == 1:
            continue
        parts = {path: path.relative_to(base).parts for path in group}
        for path in group:
            outer = [o for o in group if len(parts[o]) < len(parts[path]) and parts[path][-len(parts[o]) :] == parts[o]]
            if any(len(equal_files([path, other])) == 1 for other in outer):
                nested.add(path)
    if nested:
        left_out = [path for path in paths if path in nested]
        add_notice(f"{len(nested)} copies in nested folders left out ({first_few_below(base, left_out)})")
    return [path for path in paths if path not in nested]


def one_each(
    paths: Iterable[Path], base: Path, key: Callable[[Path], str], rank: Callable[[Path], Any]
) -> dict[str, Path]:
    """Return one file for each name of a data set whose names are unique.

    Of several the one of highest rank is taken, and that there are others is said unless they have the same bytes.

    Args:
        paths: files.
        base: the root.
        key: a file's name in the data set.
        rank: how much a place or suffix is the publisher's, comparable.

    Raises:
        DatasetError: two files of one name that differ and have the same rank.
    """
    groups = defaultdict(list)
    for path in paths:
        groups[key(path)].append(path)
    chosen, others = {}, []
    for name, group in groups.items():
        chosen[name] = group[0]
        if len(group) == 1:
            continue
        best = max(map(rank, group))
        first, *equals = [path for path in group if rank(path) == best]
        if len(equal_files([first, *equals])) > 1:
            problem = f"it holds different files of one name ({first_few_below(base, [first, *equals])})"
            raise DatasetError(base, problem, "Keep one of them, or point the root at the folder that is meant")
        chosen[name] = first
        others += [path for path in group if path != first]
    if others:
        add_notice(f"{len(others)} files of a name that is there twice are not read ({first_few_below(base, others)})")
    return chosen


def first_few_below(base: Path, paths: Iterable[Path]) -> str:
    """Name a few paths, from the root where they are below it."""
    return first_few(path.relative_to(base) if path.is_relative_to(base) else path for path in paths)


def _parted(group: Sequence[Path], fact: Callable[[Path], object]) -> list[list[Path]]:
    parts = defaultdict(list)
    for path in group:
        try:
            parts[fact(path)].append(path)
        except OSError:
            parts[path].append(path)
    return list(parts.values())


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in _files(path))


def digest_of(path: Path, most: int | None = None) -> bytes:
    """Return the SHA-256 of a file, or of a folder's files; of the first `most` bytes of each."""
    digest = hashlib.sha256()
    for place in _files(path):
        if place != path:
            digest.update(place.name.encode("utf-8", "surrogateescape") + b"\0")
        with place.open("rb") as file:
            if most is not None:
                digest.update(file.read(most))
                continue
            while block := file.read(BLOCK):
                digest.update(block)
    return digest.digest()


def digest_below(folder: Path, name: str) -> bytes:
    """Return the SHA-256 of a file by its path below a folder."""
    return digest_of(folder / name)


def _files(path: Path) -> list[Path]:
    return sorted(place for place in path.iterdir() if place.is_file()) if path.is_dir() else files_of(path)
