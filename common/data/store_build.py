"""Builds a store: parallel, resumable after a kill, atomic, and never with a picture that could not be read.

While it is built a store is a folder `<name>.building` with an array file of one slot per image and a journal
of finished chunks. A finished store appears under its own name by one rename.
"""

import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from tqdm import tqdm

from ..records import Corpus
from .errors import DatasetError
from .store_pool import run_chunks
from .store_worker import stamp

IMAGES, TABLE, QUARANTINE, SUMMARY = "images.npy", "table.parquet", "quarantine.json", "store.json"
SLOTS, JOURNAL = "slots.npy", "journal.jsonl"
FORMAT = 1
CHUNKS = 64  # at least so many tasks, as long as each has
CHUNK = (8, 64)  # images: few enough to share them out evenly, at most 4 MiB at 256 pixels
JOURNAL_SECONDS = 3.0  # at most so much work is lost by a kill
CHECKED_FILES = 16

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


def is_current(final: Path) -> bool:
    """Say whether a finished store is there and its files are still the ones it was built from.

    A few files and all quarantined ones are compared by size and time, then by content. Files that are gone do
    not count: a store serves without them.
    """
    if not (final / SUMMARY).exists() or json.loads((final / SUMMARY).read_text())["format"] != FORMAT:
        return False
    table = pd.read_parquet(final / TABLE)
    chosen = np.unique(np.linspace(0, len(table) - 1, CHECKED_FILES).astype(int))
    lines: list[Any] = [*table.iloc[chosen].to_dict("records"), *json.loads((final / QUARANTINE).read_text())]
    return not any(_changed(line) for line in lines)


def build_directory(
    corpus: Corpus, directory: Path, size: int, channels: int, workers: int | None, progress: bool
) -> Path:
    """Build the store's folder, or return it where it is current or another process has just built it."""
    final = directory / directory_name(corpus, size, channels)
    work = final.with_name(final.name + ".building")
    found = _identity(final)
    if is_current(final):
        return final
    directory.mkdir(parents=True, exist_ok=True)
    with locked(final.with_name(f".{final.name}.lock")):
        # A store that appeared since is new: to doubt it again would remove it under the process that built it.
        if _identity(final) != found or is_current(final):
            return final
        if final.exists():
            _remove(final)
        try:
            if not (work / IMAGES).exists():
                work.mkdir(exist_ok=True)
                lines = _fill(_paths(corpus), work, size, channels, workers or _cores(), progress)
                _finish(corpus, work, size, channels, lines)
            for name in (SLOTS, JOURNAL):
                (work / name).unlink(missing_ok=True)
            work.rename(final)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            free = shutil.disk_usage(directory).free
            needed = len(corpus.records) * channels * size * size
            problem = f"the disk is full ({needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free)"
            remedy = "Free space or name another folder; the same command goes on from here"
            raise DatasetError(directory, problem, remedy) from None
    return final


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


def _identity(final: Path) -> tuple[int, int] | None:
    try:
        status = (final / SUMMARY).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _remove(final: Path) -> None:
    """Remove a stale store, unless a process has it open: that one maps its file by name and row."""
    logger.warning("%s was built from files that have changed since: building it again", final)
    aside = final.with_name(final.name + ".removed")
    shutil.rmtree(aside, ignore_errors=True)  # of a run killed in this function
    with (final / SUMMARY).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            problem = "files have changed since it was built, and a process has it open"
            remedy = "Wait until that process ends, or name another folder for stores (output_root)"
            raise DatasetError(final, problem, remedy) from None
        # By one rename: a kill never leaves half a store under the name of a finished one.
        final.rename(aside)
    shutil.rmtree(aside)


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


def _fill(paths: list[str], work: Path, size: int, channels: int, workers: int, progress: bool) -> list[dict[str, Any]]:
    slots, offset = _reserve(work, (len(paths), channels, size, size))
    done = _read_journal(work)
    # The cut depends on the number of images alone, so that a journal fits whatever the number of workers.
    length = min(max(len(paths) // CHUNKS, CHUNK[0]), CHUNK[1])
    chunks = {first: paths[first : first + length] for first in range(0, len(paths), length) if first not in done}
    finished = sum(len(lines) for lines in done.values())
    fresh: dict[int, list[dict[str, Any]]] = {}
    with tqdm(total=len(paths), initial=finished, unit="image", desc=work.stem, disable=not progress) as bar:
        noted = time.monotonic()
        for first, lines in run_chunks(chunks, (str(slots), offset), size, channels, workers):
            fresh[first] = lines
            bar.update(len(lines))
            if time.monotonic() - noted > JOURNAL_SECONDS:
                _note(work, slots, fresh)
                done |= fresh
                fresh, noted = {}, time.monotonic()
    _note(work, slots, fresh)
    done |= fresh
    return [line for first in sorted(done) for line in done[first]]


def _reserve(work: Path, shape: tuple[int, ...]) -> tuple[Path, int]:
    """Make the array file with its space really taken, so that a full disk shows now and not in a worker."""
    slots = work / SLOTS
    if not slots.exists():
        (work / JOURNAL).unlink(missing_ok=True)
        draft = work / "slots.draft"
        with draft.open("wb") as file:
            _write_header(file, shape)
            file.flush()
            os.posix_fallocate(file.fileno(), 0, file.tell() + int(np.prod(shape)))
        draft.rename(slots)
    return slots, slots.stat().st_size - int(np.prod(shape))


def _read_journal(work: Path) -> dict[int, list[dict[str, Any]]]:
    done = {}
    if (work / JOURNAL).exists():
        for text in (work / JOURNAL).read_text().splitlines():
            try:
                first, lines = json.loads(text)
            except ValueError:
                continue  # torn by a kill: its chunk is decoded again
            done[first] = lines
    return done


def _note(work: Path, slots: Path, chunks: dict[int, list[dict[str, Any]]]) -> None:
    """Write finished chunks into the journal, after their pixels are safely on the disk."""
    with slots.open("r+b") as file:
        os.fdatasync(file.fileno())
    with (work / JOURNAL).open("a") as file:
        # A leading line break closes a line that a kill left torn.
        file.write("".join("\n" + json.dumps([first, lines]) for first, lines in chunks.items()) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _finish(corpus: Corpus, work: Path, size: int, channels: int, lines: list[dict[str, Any]]) -> None:
    good = np.array([number for number, line in enumerate(lines) if "reason" not in line], dtype=np.int64)
    bad = [line for line in lines if "reason" in line]
    if not len(good):
        problem = f"none of {len(bad)} images could be read; the first is {bad[0]['path']} ({bad[0]['reason']})"
        shutil.rmtree(work)
        raise DatasetError(corpus.name, problem, bad[0]["remedy"])
    pd.DataFrame([lines[number] for number in good]).to_parquet(work / TABLE, index=False)
    (work / QUARANTINE).write_text(json.dumps(bad, indent=1))
    summary = {"format": FORMAT, "corpus": corpus.name, "size": size, "channels": channels, "images": len(good)}
    (work / SUMMARY).write_text(json.dumps(summary | {"fingerprint": corpus.fingerprint()}, indent=1))
    if bad:
        _copy_rows(work, good)
    else:
        (work / SLOTS).rename(work / IMAGES)


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_2_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _copy_rows(work: Path, rows: np.ndarray) -> None:
    """Close the gaps of unreadable files."""
    source = np.load(work / SLOTS, mmap_mode="r")
    draft = work / "slots.draft"
    with draft.open("wb") as file:
        _write_header(file, (len(rows), *source.shape[1:]))
        for start in range(0, len(rows), 256):
            file.write(source[rows[start : start + 256]].tobytes())
        file.flush()
        os.fsync(file.fileno())
    draft.rename(work / IMAGES)


def _changed(line: dict[str, Any]) -> bool:
    found = stamp(line["path"])
    if not any(found.values()) or found == {key: line[key] for key in found}:
        return False
    if "sha256" not in line or found["bytes"] != line["bytes"]:
        return True
    return hashlib.sha256(Path(line["path"]).read_bytes()).hexdigest() != line["sha256"]
