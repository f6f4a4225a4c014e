"""What can be kept of a store that is stale or damaged: its successor begins with it instead of from nothing."""

import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...files.journal import Journal, Line
from .check import Wanted, compare, rows_of
from .layout import CHECKSUM, IMAGES, DamagedStore, header_of, read_quarantine, read_table

SLOTS, JOURNAL, DRAFT = "slots.npy", "journal.jsonl", "slots.draft"


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
    journal = Journal(work / JOURNAL)
    for name in (SLOTS, JOURNAL):
        (work / name).unlink(missing_ok=True)
    shape = (len(wanted.paths), wanted.channels, wanted.size, wanted.size)
    kept = _entries(work, wanted, verify)
    slot_of = {path: slot for slot, path in enumerate(wanted.paths)}
    left_out = _sound(_quarantine(work), slot_of)
    lines = {slot_of[line["path"]]: line for line in [*kept.values(), *left_out]}
    in_place = all(slot_of[line["path"]] == row for row, line in kept.items())
    if kept and in_place and _has_shape(work / IMAGES, shape):
        journal.add(lines)
        (work / IMAGES).rename(work / SLOTS)
    elif kept:
        _spread(work, shape, {row: slot_of[line["path"]] for row, line in kept.items()})
        journal.add(lines)
        (work / DRAFT).rename(work / SLOTS)
    (work / IMAGES).unlink(missing_ok=True)


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
        for row, slot in slot_of_row.items():
            source.seek(offset + row * length)
            target.seek(begin + slot * length)
            target.write(source.read(length))
        target.flush()
        os.fsync(target.fileno())
