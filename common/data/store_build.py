"""Builds a store: parallel, resumable after a kill, atomic, and never with a picture that could not be read.

While it is built a store is a folder `<name>.building` with an array file of one slot per image and a journal
of finished ones. A finished store appears under its own name by one rename.
"""

import fcntl
import hashlib
import io
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from ..records import Corpus
from .errors import DatasetError
from .full_disk import full_disk
from .store_check import Line, State, Wanted, compare, examine
from .store_files import (
    BESIDE,
    CHECKSUM,
    FORMAT,
    IMAGES,
    PARTIAL,
    QUARANTINE,
    SUMMARY,
    TABLE,
    read_quarantine,
    read_table,
    write_atomically,
)
from .store_pool import run_chunks
from .store_ranks import launch, vouch, vouched_for
from .store_takeover import DRAFT, JOURNAL, SLOTS, reserve, runs, take_over, write_journal
from .store_takeover import write_header as _write_header

CHUNKS = 64  # at least so many tasks, as long as each has
CHUNK = (8, 64)  # images: few enough to share them out evenly, at most 4 MiB at 256 pixels
JOURNAL_SECONDS = 3.0  # at most so much work is lost by a kill

logger = logging.getLogger(__name__)


def directory_name(corpus: Corpus, size: int, channels: int) -> str:
    """Return `<corpus>-<size>px-<channels>ch-<hash of the file list>`.

    Raises:
        ValueError: size or channels out of range, or a corpus without images.
    """
    if size < 1 or channels not in (1, 3):
        raise ValueError(f"size is {size} and channels {channels}; size must be 1 or more, channels 1 or 3")
    if not corpus.records:
        raise ValueError(
            f"{corpus.name} has no images; check the key that names its folder (dataset_dir, probe_dir ...)"
        )
    digest = hashlib.sha256("\n".join(_paths(corpus)).encode()).hexdigest()[:10]
    return f"{corpus.name}-{size}px-{channels}ch-{digest}"


def is_current(state: State) -> bool:
    """Say whether a store may be opened as it is, without even a new stamp in its table."""
    return state.problem is None and not state.touched


def build_directory(
    corpus: Corpus, directory: Path, size: int, channels: int, workers: int | None, progress: bool
) -> Path:
    """Build the store's folder, or return it where it is current or another process has just built it.

    Of a store that is stale or damaged what holds good is kept, and only the rest is decoded.

    Raises:
        DatasetError: the disk is full; the store would have to be built again and a process has it open; it is of a
            newer format; not one image can be read.
    """
    final = directory / directory_name(corpus, size, channels)
    wanted = Wanted(final, _paths(corpus), size, channels)
    lock, note = (final.with_name(f".{final.name}.{kind}") for kind in ("lock", "ranks"))
    if launch() is not None and os.access(directory, os.W_OK):
        with suppress(OSError), locked(lock):  # without locks each rank looks for itself
            if vouched_for(note, _identity(final)):
                return final
            if is_current(examine(wanted)):
                vouch(note, _identity(final))
                return final
    found, state = _identity(final), examine(wanted)
    if is_current(state) or (state.problem is None and not os.access(directory, os.W_OK)):
        return final
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with locked(lock):
            # A store that appeared since is new: to doubt it again would remove it under the process that built it.
            if _identity(final) == found:
                _build(corpus, wanted, state, workers, progress)
                vouch(note, _identity(final))
    except OSError as error:
        full = full_disk(error, final, len(wanted.paths) * channels * size * size)
        if full is None:
            raise
        raise full from None
    return final


def _build(corpus: Corpus, wanted: Wanted, state: State, workers: int | None, progress: bool) -> None:
    """Do what is to be done, under the lock."""
    final = wanted.final
    work = final.with_name(final.name + ".building")
    if _clean(final, work):
        state = examine(wanted)
    if state.problem is None:
        _keep_stamps(final, state.touched)
        return
    stale = final.exists()
    if stale:
        _set_aside(final, work, state.problem)
    work.mkdir(exist_ok=True)
    take_over(work, wanted, verify=state.damaged or not stale)  # what a killed run left is not trusted
    lines = _fill(wanted.paths, work, wanted.size, wanted.channels, workers or _cores(), progress)
    _finish(corpus, work, wanted.size, wanted.channels, lines)
    _publish(work, final)


def _clean(final: Path, work: Path) -> bool:
    """Remove what killed runs left, or bring it to an end, and say whether there is a store by that."""
    shutil.rmtree(final.with_name(final.name + ".removed"), ignore_errors=True)
    for partial in final.glob(f"*{PARTIAL}"):
        partial.unlink()
    if final.exists() or not (work / SUMMARY).exists() or not (work / IMAGES).exists():
        return False
    _publish(work, final)
    return True


def _publish(work: Path, final: Path) -> None:
    for path in work.iterdir():
        if path.name not in (IMAGES, TABLE, QUARANTINE, SUMMARY):
            path.unlink()
    work.rename(final)


def hold(final: Path) -> int:
    """Mark a finished store as open, so that no process removes it.

    Returns:
        A file descriptor; the mark ends when it is closed.

    Raises:
        FileNotFoundError: no finished store there.
    """
    handle = os.open(final / SUMMARY, os.O_RDONLY)
    # Some network file systems have no locks; a store there is still good to read.
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return handle


def _identity(final: Path) -> list[int] | None:
    try:
        status = (final / SUMMARY).stat()
    except OSError:
        return None
    return [status.st_ino, status.st_mtime_ns]


def _set_aside(final: Path, work: Path, problem: str) -> None:
    """Make a store the beginnings of its successor, unless a process has it open: that one maps its file by name."""
    with (final / SUMMARY).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            remedy = "Wait until that process ends, or name another folder for stores (output_root)"
            raise DatasetError(final, f"{problem}; and a process has it open", remedy) from None
        logger.warning("%s: %s. Building again what is concerned", final, problem)
        shutil.rmtree(work, ignore_errors=True)
        # A kill between these leaves a store without its summary, which is one that is damaged.
        (final / SUMMARY).unlink()
        final.rename(work)


def _keep_stamps(final: Path, touched: Mapping[str, Line]) -> None:
    """Note the times of files whose content is the same, so that the next opening need not read them."""
    table, left_out = read_table(final), read_quarantine(final)
    for column in ("bytes", "modified", *([BESIDE] if BESIDE in table else [])):
        new = {path: stamped[column] for path, stamped in touched.items()}
        table[column] = [new.get(path, value) for path, value in zip(table["path"], table[column], strict=True)]
    write_atomically(final / TABLE, table.to_parquet(None, index=False))
    lines = [line | touched.get(line["path"], {}) for line in left_out]
    write_atomically(final / QUARANTINE, json.dumps(lines, indent=1).encode())


def _paths(corpus: Corpus) -> list[str]:
    return list(dict.fromkeys(record.image for record in corpus.records))


def _cores() -> int:
    return len(os.sched_getaffinity(0))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, after waiting for the process that has it.

    Args:
        path: of the lock file; its folder exists.
    """
    # The kernel drops the lock with the process, however it ends; the file stays, since removing it races.
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("Waiting for another process that builds %s", path.name)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fill(
    paths: Sequence[str], work: Path, size: int, channels: int, workers: int, progress: bool
) -> list[dict[str, Any]]:
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
    _write_header(header, shape)
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


def _finish(corpus: Corpus, work: Path, size: int, channels: int, lines: list[dict[str, Any]]) -> None:
    good = np.array([number for number, line in enumerate(lines) if "reason" not in line], dtype=np.int64)
    bad = [line for line in lines if "reason" in line]
    if not len(good):
        problem = f"none of {len(bad)} images could be read; the first is {bad[0]['path']} ({bad[0]['reason']})"
        shutil.rmtree(work)
        raise DatasetError(corpus.name, problem, bad[0]["remedy"])
    table = pd.DataFrame([lines[number] for number in good])
    write_atomically(work / TABLE, table.to_parquet(None, index=False))
    write_atomically(work / QUARANTINE, json.dumps(bad, indent=1).encode())
    if bad:
        _copy_rows(work, good)
    else:
        (work / SLOTS).rename(work / IMAGES)
    summary = {"format": FORMAT, "corpus": corpus.name, "size": size, "channels": channels, "images": len(good)}
    summary["fingerprint"] = corpus.fingerprint()
    # Last of all: what has a summary is finished.
    write_atomically(work / SUMMARY, json.dumps(summary, indent=1).encode())


def _copy_rows(work: Path, rows: np.ndarray) -> None:
    """Close the gaps of unreadable files."""
    source = np.load(work / SLOTS, mmap_mode="r")
    draft = work / DRAFT
    with draft.open("wb") as file:
        _write_header(file, (len(rows), *source.shape[1:]))
        for start in range(0, len(rows), 256):
            file.write(source[rows[start : start + 256]].tobytes())
        file.flush()
        os.fsync(file.fileno())
    draft.rename(work / IMAGES)
