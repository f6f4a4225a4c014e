"""What can be kept of a store that is stale or damaged: its successor begins with it instead of from nothing."""

import itertools
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .check import Line, Wanted, compare, rows_of
from .layout import CHECKSUM, IMAGES, DamagedStore, header_of, read_quarantine, read_table

SLOTS, JOURNAL, DRAFT = "slots.npy", "journal.jsonl", "slots.draft"
BLOCK = 256  # entries that are copied at a time
LINE = 8  # slots in a line of the journal: so many are lost where a kill tears it


def take_over(work: Path, wanted: Wanted, verify: bool) -> None:
    """Turn the images of an earlier store in a working folder into slots, with a journal of those that hold good.

    An entry holds good if its file is still the one that it was made from and, where `verify`, its pixels fit their
    checksum. A kill at any moment leaves what this function, or the build, begins with again.

    Args:
        work: folder that may hold an earlier store's images, table and quarantine.
        wanted: the store to build.
        verify: read all pixels.
    """
    if not (work / IMAGES).exists():
        return
    if (work / SLOTS).exists() and (work / JOURNAL).exists():
        (work / IMAGES).unlink()  # all was taken over, and then the process was killed
        return
    for name in (SLOTS, JOURNAL):
        (work / name).unlink(missing_ok=True)
    shape = (len(wanted.paths), wanted.channels, wanted.size, wanted.size)
    kept = _entries(work, wanted, verify)
    slot_of = {path: slot for slot, path in enumerate(wanted.paths)}
    left_out = _sound(_quarantine(work), slot_of)
    lines = {slot_of[line["path"]]: line for line in [*kept.values(), *left_out]}
    in_place = all(slot_of[line["path"]] == row for row, line in kept.items())
    if kept and in_place and _has_shape(work / IMAGES, shape):
        write_journal(work, lines)
        (work / IMAGES).rename(work / SLOTS)
    elif kept:
        _spread(work, shape, {row: slot_of[line["path"]] for row, line in kept.items()})
        write_journal(work, lines)
        (work / DRAFT).rename(work / SLOTS)
    (work / IMAGES).unlink(missing_ok=True)


def write_journal(work: Path, lines: Mapping[int, Line]) -> None:
    """Add the lines of finished slots to the journal, in runs of neighbours; their pixels are safely on the disk."""
    with (work / JOURNAL).open("a") as file:
        # A leading line break closes a line that a kill left torn.
        file.write(
            "".join("\n" + json.dumps([run[0], [lines[slot] for slot in run]]) for run in runs(lines, LINE)) + "\n"
        )
        file.flush()
        os.fsync(file.fileno())


def runs(slots: Iterable[int], longest: int | None = None) -> Iterator[list[int]]:
    """Yield the slots in order, cut where one is missing and after `longest`."""
    ordered = sorted(slots)
    for _, group in itertools.groupby(enumerate(ordered), key=lambda pair: pair[1] - pair[0]):
        run = [slot for _, slot in group]
        for start in range(0, len(run), longest or len(run)):
            yield run[start : start + (longest or len(run))]


def write_header(file: BinaryIO, shape: Sequence[int]) -> None:
    """Begin an array file."""
    np.lib.format.write_array_header_2_0(file, {"descr": "|u1", "fortran_order": False, "shape": tuple(shape)})


def reserve(work: Path, shape: Sequence[int]) -> Path:
    """Make a draft of the array file with its space really taken, so that a full disk shows now and not in a worker."""
    draft = work / DRAFT
    with draft.open("wb") as file:
        write_header(file, shape)
        file.flush()
        os.posix_fallocate(file.fileno(), 0, file.tell() + int(np.prod(shape, dtype=np.int64)))
    return draft


def _entries(work: Path, wanted: Wanted, verify: bool) -> dict[int, Line]:
    """Row -> line of the entries that hold good."""
    try:
        table = read_table(work)
        shape, offset = header_of(work / IMAGES)
    except (DamagedStore, ValueError, EOFError):
        return {}
    if shape[1:] != (wanted.channels, wanted.size, wanted.size):
        return {}
    lines = rows_of(table)
    if not all(CHECKSUM in line for line in lines) and len(lines) != shape[0]:
        return {}  # nothing tells which entry is whose
    known = set(wanted.paths)
    sound = {line["path"]: line for line in _sound(lines, known)}
    kept = {row: sound[line["path"]] for row, line in enumerate(lines) if line["path"] in sound}
    length = int(np.prod(shape[1:]))
    with (work / IMAGES).open("rb") as file:
        for row, line in list(kept.items()):
            if CHECKSUM in line and not verify:
                continue
            file.seek(offset + row * length)
            pixels = file.read(length)
            found = zlib.crc32(pixels)
            if len(pixels) < length or line.setdefault(CHECKSUM, found) != found:
                del kept[row]
    return kept


def _quarantine(work: Path) -> list[Line]:
    try:
        return read_quarantine(work)
    except DamagedStore:
        return []


def _sound(lines: Sequence[Line], known: Any) -> list[Line]:
    """The lines of wanted files that are what they were, with their present stamps."""
    lines = [line for line in lines if line["path"] in known]
    changed, touched = compare(lines)
    doubtful = set(changed)
    return [line | touched.get(line["path"], {}) for line in lines if line["path"] not in doubtful]


def _has_shape(path: Path, shape: Sequence[int]) -> bool:
    found, offset = header_of(path)
    return found == tuple(shape) and path.stat().st_size == offset + int(np.prod(shape, dtype=np.int64))


def _spread(work: Path, shape: Sequence[int], slot_of_row: Mapping[int, int]) -> None:
    """Copy entries from their rows to their slots: the images have no gaps where files were left out, slots have."""
    offset = header_of(work / IMAGES)[1]
    length = int(np.prod(shape[1:]))
    draft = reserve(work, shape)
    begin = draft.stat().st_size - int(np.prod(shape, dtype=np.int64))
    with (work / IMAGES).open("rb") as source, draft.open("r+b") as target:
        for rows in runs(slot_of_row, BLOCK):
            source.seek(offset + rows[0] * length)
            for row in rows:
                target.seek(begin + slot_of_row[row] * length)
                target.write(source.read(length))
        target.flush()
        os.fsync(target.fileno())
