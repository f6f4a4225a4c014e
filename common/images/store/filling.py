"""Fills a new store: pixels into slots, a journal of what is done, and at the end the table."""

import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...files import replacing, write_durably
from ...files.bar import Bar
from ...files.build import build_entries
from ...files.journal import Journal, Line
from ...files.quarantine import nothing_left, quarantined
from ...records import Corpus
from .check import compare
from .layout import CHECKSUM, FORMAT, IMAGES, QUARANTINE, SUMMARY, TABLE
from .takeover import JOURNAL, SLOTS, reserve, write_header
from .worker import crashed, store_image

CHUNKS = 64  # at least so many tasks, as long as each has
CHUNK = (8, 64)  # images: few enough to share them out evenly, and milliseconds each


def fill(paths: Sequence[str], work: Path, size: int, channels: int, workers: int, progress: bool) -> list[Line]:
    """Decode what the journal does not have, and return a line for each path: its facts, or why it is left out."""
    slots, offset = _reserve(work, (len(paths), channels, size, size))
    journal = Journal(work / JOURNAL)
    done = _still_true(journal.read(), paths)
    todo = {slot: (slot, path) for slot, path in enumerate(paths) if slot not in done}
    decode = partial(store_image, file=str(slots), offset=offset, size=size, channels=channels)
    chunk = min(max(len(paths) // CHUNKS, CHUNK[0]), CHUNK[1])
    with (
        slots.open("r+b") as file,
        Bar(total=len(paths), initial=len(done), unit="image", desc=work.stem, disable=not progress) as bar,
    ):
        done |= build_entries(
            todo, decode, crashed, journal, bar, workers, chunk, settle=lambda: os.fdatasync(file.fileno())
        )
    return [done[slot] for slot in sorted(done)]


def _reserve(work: Path, shape: tuple[int, ...]) -> tuple[Path, int]:
    """Return the array file and the bytes before its first slot; one that is cut, and its journal, are begun anew."""
    slots = work / SLOTS
    header = io.BytesIO()
    write_header(header, shape)
    expected = header.tell() + int(np.prod(shape, dtype=np.int64))
    if not slots.exists() or slots.stat().st_size != expected:
        (work / JOURNAL).unlink(missing_ok=True)
        slots.unlink(missing_ok=True)
        reserve(work, shape).rename(slots)
    return slots, header.tell()


def _still_true(lines: Mapping[Any, Line], paths: Sequence[str]) -> dict[int, Line]:
    """Return slot -> line of what is done; what is not of this list, or of a file that has changed, is done again."""
    done = {slot: line for slot, line in lines.items() if _fits(line, slot, paths)}
    changed = set(compare(list(done.values()))[0])
    return {slot: line for slot, line in done.items() if line["path"] not in changed}


def _fits(line: Line, slot: Any, paths: Sequence[str]) -> bool:
    """Whether a line is of this list of files, and not of a journal from before there were checksums."""
    known = {"bytes", "modified"} <= line.keys() and ("reason" in line or CHECKSUM in line)
    return known and slot in range(len(paths)) and line.get("path") == paths[slot]


def finish(corpus: Corpus, work: Path, size: int, channels: int, lines: list[Line]) -> None:
    """Write table, quarantine and, last of all, the summary.

    Raises:
        DatasetError: not one image could be read.
    """
    good = np.array([number for number, line in enumerate(lines) if "reason" not in line], dtype=np.int64)
    bad = [line for line in lines if "reason" in line]
    if not len(good):
        shutil.rmtree(work)
        raise nothing_left(corpus.name, f"none of {len(bad)} images could be read", quarantined(bad))
    table = pd.DataFrame([lines[number] for number in good])
    write_durably(table.to_parquet(None, index=False), work / TABLE)
    write_durably(json.dumps(bad, indent=1).encode(), work / QUARANTINE)
    if bad:
        _copy_rows(work, good)
    else:
        (work / SLOTS).rename(work / IMAGES)
    summary = {"format": FORMAT, "corpus": corpus.name, "size": size, "channels": channels, "images": len(good)}
    summary["fingerprint"] = corpus.fingerprint()
    # Last of all: what has a summary is finished.
    write_durably(json.dumps(summary, indent=1).encode(), work / SUMMARY)


def _copy_rows(work: Path, rows: np.ndarray) -> None:
    """Close the gaps of unreadable files."""
    source = np.load(work / SLOTS, mmap_mode="r")
    with replacing(work / IMAGES) as [draft], draft.open("wb") as file:
        write_header(file, (len(rows), *source.shape[1:]))
        for start in range(0, len(rows), 256):
            file.write(source[rows[start : start + 256]].tobytes())
