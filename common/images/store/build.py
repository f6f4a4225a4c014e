"""Builds a store: parallel, resumable after a kill, atomic, and never with a picture that could not be read.

While it is built a store is a folder `<name>.building` with an array file of one slot per image and a journal
of finished ones. A finished store appears under its own name by one rename.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ...files import PARTIAL, locked, locked_if_free, write_durably
from ...files.errors import DatasetError
from ...files.full_disk import written_to
from ...files.journal import Line
from ...files.pool import cores
from ...records import Corpus
from .check import State, Wanted, examine
from .filling import fill, finish
from .layout import BESIDE, IMAGES, QUARANTINE, SUMMARY, TABLE, read_quarantine, read_table
from .ranks import launch, vouch, vouched_for
from .takeover import take_over

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
    with written_to(final, len(wanted.paths) * channels * size * size):
        directory.mkdir(parents=True, exist_ok=True)
        with locked(lock):
            # A store that appeared since is new: to doubt it again would remove it under the process that built it.
            if _identity(final) == found:
                _build(corpus, wanted, state, workers, progress)
                vouch(note, _identity(final))
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
    logger.info("Decoding %s images of %s once, into %s.", f"{len(wanted.paths):,}", corpus.name, final)
    lines = fill(wanted.paths, work, wanted.size, wanted.channels, workers or cores(), progress)
    finish(corpus, work, wanted.size, wanted.channels, lines)
    _publish(work, final)


def _clean(final: Path, work: Path) -> bool:
    """Remove what killed runs left, or bring it to an end, and say whether there is a store by that."""
    shutil.rmtree(final.with_name(final.name + ".removed"), ignore_errors=True)
    for partial in (*final.glob(f"*{PARTIAL}"), *work.glob(f"*{PARTIAL}")):
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


def _identity(final: Path) -> list[int] | None:
    try:
        status = (final / SUMMARY).stat()
    except OSError:
        return None
    return [status.st_ino, status.st_mtime_ns]


def _set_aside(final: Path, work: Path, problem: str) -> None:
    """Make a store the beginnings of its successor, unless a process has it open: that one maps its file by name."""
    with locked_if_free(final / SUMMARY) as mine:
        if mine is None:
            remedy = "Wait until that process ends, or name another folder for stores (output_root)"
            raise DatasetError(final, f"{problem}; and a process has it open", remedy)
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
    write_durably(table.to_parquet(None, index=False), final / TABLE)
    lines = [line | touched.get(line["path"], {}) for line in left_out]
    write_durably(json.dumps(lines, indent=1).encode(), final / QUARANTINE)


def _paths(corpus: Corpus) -> list[str]:
    return list(dict.fromkeys(record.image for record in corpus.records))
