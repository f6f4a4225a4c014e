"""Fills a new store: pixels into slots, a journal of what is done, and at the end the table."""

import io
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from ...files.errors import DatasetError
from ...records import Corpus
from .check import compare
from .layout import CHECKSUM, FORMAT, IMAGES, QUARANTINE, SUMMARY, TABLE, write_durably
from .pool import run_chunks
from .takeover import DRAFT, JOURNAL, SLOTS, reserve, runs, write_header, write_journal

CHUNKS = 64  # at least so many tasks, as long as each has
CHUNK = (8, 64)  # images: few enough to share them out evenly, at most 4 MiB at 256 pixels
JOURNAL_SECONDS = 3.0  # at most so much work is lost by a kill


def fill(
    paths: Sequence[str], work: Path, size: int, channels: int, workers: int, progress: bool
) -> list[dict[str, Any]]:
    """Decode what the journal does not have, and return a line for each path: its facts, or why it is left out."""
    slots, offset = _reserve(work, (len(paths), channels, size, size))
    done = _read_journal(work, paths)
    length = min(max(len(paths) // CHUNKS, CHUNK[0]), CHUNK[1])
    todo = [slot for slot in range(len(paths)) if slot not in done]
    chunks = {run[0]: [paths[slot] for slot in run] for run in runs(todo, length)}
    fresh: dict[int, dict[str, Any]] = {}
    with tqdm(total=len(paths), initial=len(done), unit="image", desc=work.stem, disable=not progress) as bar:
        noted = time.monotonic()
        for first, lines in run_chunks(chunks, (str(slots), offset), size, channels, workers):
            fresh |= {first + number: line for number, line in enumerate(lines)}
            bar.update(len(lines))
            if time.monotonic() - noted > JOURNAL_SECONDS:
                _note(work, slots, fresh)
                done |= fresh
                fresh, noted = {}, time.monotonic()
    _note(work, slots, fresh)
    done |= fresh
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


def _read_journal(work: Path, paths: Sequence[str]) -> dict[int, dict[str, Any]]:
    """Return slot -> line of what is done; what cannot be read, or is of a file that has changed, is done again."""
    done: dict[int, dict[str, Any]] = {}
    if (work / JOURNAL).exists():
        for text in (work / JOURNAL).read_text(errors="replace").splitlines():
            try:
                first, lines = json.loads(text)
                done |= {
                    first + number: line for number, line in enumerate(lines) if _fits(line, first + number, paths)
                }
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # torn by a kill
    changed = set(compare(list(done.values()))[0])
    return {slot: line for slot, line in done.items() if line["path"] not in changed}


def _fits(line: dict[str, Any], slot: int, paths: Sequence[str]) -> bool:
    """Whether a line is of this list of files, and not of a journal from before there were checksums."""
    known = {"bytes", "modified"} <= line.keys() and ("reason" in line or CHECKSUM in line)
    return known and 0 <= slot < len(paths) and line["path"] == paths[slot]


def _note(work: Path, slots: Path, lines: Mapping[int, dict[str, Any]]) -> None:
    """Write finished slots into the journal, after their pixels are safely on the disk."""
    with slots.open("r+b") as file:
        os.fdatasync(file.fileno())
    write_journal(work, lines)


def finish(corpus: Corpus, work: Path, size: int, channels: int, lines: list[dict[str, Any]]) -> None:
    """Write table, quarantine and, last of all, the summary.

    Raises:
        DatasetError: not one image could be read.
    """
    good = np.array([number for number, line in enumerate(lines) if "reason" not in line], dtype=np.int64)
    bad = [line for line in lines if "reason" in line]
    if not len(good):
        problem = f"none of {len(bad)} images could be read; the first is {bad[0]['path']} ({bad[0]['reason']})"
        shutil.rmtree(work)
        raise DatasetError(corpus.name, problem, bad[0]["remedy"])
    table = pd.DataFrame([lines[number] for number in good])
    write_durably(work / TABLE, table.to_parquet(None, index=False))
    write_durably(work / QUARANTINE, json.dumps(bad, indent=1).encode())
    if bad:
        _copy_rows(work, good)
    else:
        (work / SLOTS).rename(work / IMAGES)
    summary = {"format": FORMAT, "corpus": corpus.name, "size": size, "channels": channels, "images": len(good)}
    summary["fingerprint"] = corpus.fingerprint()
    # Last of all: what has a summary is finished.
    write_durably(work / SUMMARY, json.dumps(summary, indent=1).encode())


def _copy_rows(work: Path, rows: np.ndarray) -> None:
    """Close the gaps of unreadable files."""
    source = np.load(work / SLOTS, mmap_mode="r")
    draft = work / DRAFT
    with draft.open("wb") as file:
        write_header(file, (len(rows), *source.shape[1:]))
        for start in range(0, len(rows), 256):
            file.write(source[rows[start : start + 256]].tobytes())
        file.flush()
        os.fsync(file.fileno())
    draft.rename(work / IMAGES)
