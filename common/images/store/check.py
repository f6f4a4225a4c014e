"""Compares a store with the files that it was built from, and with itself."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ...files.errors import DatasetError
from ...files.journal import Line
from ...files.quarantine import NAMED
from .layout import (
    BESIDE,
    IMAGES,
    QUARANTINE,
    SUMMARY,
    SUSPECT,
    TABLE,
    DamagedStore,
    map_images,
    read_quarantine,
    read_summary,
    read_table,
)
from .sources import described_now, further_files, has_moved, present_hash

HASHING = 8  # threads: reading waits for the disk, and hashing leaves the interpreter alone


@dataclass(frozen=True)
class Wanted:
    """A store that is asked for.

    Args:
        final: its folder.
        paths: files whose pictures it holds or quarantines.
        size: height and width of an entry.
        channels: 1 or 3.
    """

    final: Path
    paths: Sequence[str]
    size: int
    channels: int


@dataclass(frozen=True)
class State:
    """What was found.

    Args:
        problem: why the store cannot be served as it is; None where it can.
        damaged: the cause lies in the store's own files, so that its pixels are not trusted unread.
        touched: image -> stamps, of those that have another time but the same content.
    """

    problem: str | None = None
    damaged: bool = False
    touched: dict[str, Line] = field(default_factory=dict)


def examine(wanted: Wanted) -> State:
    """Find out whether a store may be served.

    All files, the quarantined ones and the second files of pairs included, are compared by size and modification
    time, and by content where these differ; 100,000 take about a second on a local disk. Files that are gone do not
    count: a store serves without them.
    What cannot be seen is a file that was replaced by one of the same size and the same time.

    Raises:
        DatasetError: the store is of a newer format.
    """
    if not wanted.final.is_dir():
        return State("there is none")
    try:
        lines, left_out = _read(wanted)
    except DamagedStore as error:
        return State(f"{Path(error.where).name}: {error.problem}", damaged=True)
    changed, touched = compare([*lines, *left_out])
    if changed:
        named = ", ".join(Path(path).name for path in changed[:NAMED]) + (" ..." if len(changed) > NAMED else "")
        return State(f"{len(changed)} of {len(wanted.paths)} files have changed since it was built: {named}")
    return State(touched=touched)


def compare(lines: Sequence[Line]) -> tuple[list[str], dict[str, Line]]:
    """Return the files that are not what a line says, and the new stamps of those that only look like it.

    Args:
        lines: each with path, bytes, modified, and sha256 where the file could be read.
    """
    moved = [line for line in lines if _is_moved(line)]
    stamps = {line["path"]: described_now(line) for line in moved}  # before they are read: see `_store_one`
    with ThreadPoolExecutor(HASHING) as pool:
        same = dict(zip(stamps, pool.map(_has_same_content, moved), strict=True))
    return [path for path, kept in same.items() if not kept], {path: stamps[path] for path in same if same[path]}


def _read(wanted: Wanted) -> tuple[list[Line], list[Line]]:
    """Lines of the table and of the quarantine, once it is sure that they, the images and the request fit together."""
    final = wanted.final
    try:
        summary = read_summary(final)
    except DatasetError:
        if (final / SUMMARY).exists():
            raise
        raise DamagedStore(final / SUMMARY, "it is missing") from None
    if (summary["size"], summary["channels"]) != (wanted.size, wanted.channels):
        told = f"it tells {summary['size']} pixels and {summary['channels']} channels"
        raise DamagedStore(final / SUMMARY, f"{told}, in the folder of {wanted.size} and {wanted.channels}")
    table, left_out = read_table(final), read_quarantine(final)
    listed = [*table["path"], *(line["path"] for line in left_out)]
    if len(listed) != len(wanted.paths) or set(listed) != set(wanted.paths):
        known = set(listed)
        lacking = next((path for path in wanted.paths if path not in known), "none of the others")
        problem = f"with {QUARANTINE} it lists other files than these; it lacks {lacking}"
        raise DamagedStore(final / TABLE, problem)
    map_images(final, (len(table), wanted.channels, wanted.size, wanted.size))
    if (final / SUSPECT).exists():
        names = ", ".join(Path(line).name for line in (final / SUSPECT).read_text().splitlines()[:NAMED])
        raise DamagedStore(final / IMAGES, f"pixels of {names} differ from what was written")
    return rows_of(table), left_out


def rows_of(table: pd.DataFrame) -> list[Line]:
    """Return a table's rows as plain values; pandas' own way takes ten times as long."""
    names = list(map(str, table.columns))
    columns = [table[name].tolist() for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _is_moved(line: Line) -> bool:
    if line.get(BESIDE) != "" and any(has_moved(file, told) for file, told in further_files(line).items()):
        return True
    try:
        status = os.stat(line["path"])  # noqa: PTH116  (a Path costs more than the call, and there may be 100,000)
    except OSError:
        return False
    if (status.st_size, status.st_mtime_ns) == (line["bytes"], line["modified"]):
        return False
    return has_moved(Path(line["path"]), (line["bytes"], line["modified"]))


def _has_same_content(line: Line) -> bool:
    try:
        size = os.stat(line["path"]).st_size  # noqa: PTH116
        return "sha256" in line and size == line["bytes"] and present_hash(line) == line["sha256"]
    except OSError:
        return False
