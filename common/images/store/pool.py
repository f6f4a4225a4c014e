"""Runs the chunks of a store in worker processes, and outlives a decoder that crashes."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from ...files.errors import DatasetError
from ..formats.pairs import files_of
from .sources import described
from .worker import IDLE, start_worker, store_chunk

CRASHED = {"reason": "the decoder crashed on it", "remedy": "The file is damaged: get it again or leave it out"}
MOST_DEATHS = 3  # of workers that no file explains

Lines = list[dict[str, Any]]


def run_chunks(
    chunks: dict[int, list[str]], file: tuple[str, int], size: int, channels: int, workers: int
) -> Iterator[tuple[int, Lines]]:
    """Yield (first slot, lines) for each chunk as it is finished, in any order.

    Args:
        chunks: first slot -> paths.
        file: array file and offset of its first slot.
        size: height and width of a slot.
        channels: 1 or 3.
        workers: processes, 1 or more; 1 works in this process.

    Raises:
        DatasetError: workers die again and again and no file is to blame.
    """
    if workers == 1:
        for first, paths in chunks.items():
            yield first, store_chunk(*file, first, paths, size, channels)
        return
    open_chunks, fatal, deaths = dict(chunks), dict[int, dict[str, Any]](), 0
    while open_chunks:
        in_hand = multiprocessing.RawArray("q", [IDLE] * (workers + 1))
        try:
            for first, lines in _run(open_chunks, file, size, channels, workers, in_hand, fatal):
                del open_chunks[first]
                yield first, lines
        except BrokenProcessPool:
            suspects = {slot: _crash(slot, open_chunks, size, channels) for slot in in_hand if slot != IDLE}
            guilty = {slot: line for slot, line in suspects.items() if line is not None}
            fatal |= guilty
            deaths += not guilty
        if deaths > MOST_DEATHS:
            problem = f"worker processes died {deaths} times and no single file is to blame"
            raise DatasetError(file[0], problem, "Memory may be short: use fewer workers")


def _run(
    chunks: dict[int, list[str]],
    file: tuple[str, int],
    size: int,
    channels: int,
    workers: int,
    cells: Any,
    fatal: dict[int, dict[str, Any]],
) -> Iterator[tuple[int, Lines]]:
    with _pool(workers, cells) as pool:
        futures = {}
        for first, paths in chunks.items():
            # An empty path stands for a file that kills its reader: the worker reports it as missing.
            safe = ["" if first + number in fatal else path for number, path in enumerate(paths)]
            futures[pool.submit(store_chunk, *file, first, safe, size, channels)] = first
        try:
            for future in as_completed(futures):
                first = futures[future]
                yield first, [fatal.get(first + number, line) for number, line in enumerate(future.result())]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _pool(workers: int, cells: Any) -> ProcessPoolExecutor:
    # Forked: a spawned worker would import PyTorch and MONAI, which takes longer than most of these builds.
    context = multiprocessing.get_context("fork")
    arguments = (cells, context.Value("i", 0), os.getpid())
    return ProcessPoolExecutor(workers, context, initializer=start_worker, initargs=arguments)


def _crash(slot: int, chunks: dict[int, list[str]], size: int, channels: int) -> dict[str, Any] | None:
    """Decode one file in a process of its own; return its line for the quarantine if the process dies."""
    path = next((paths[slot - first] for first, paths in chunks.items() if first <= slot < first + len(paths)), None)
    if path is None:
        return None
    line = {"path": path, **described(path, files_of(Path(path))[1:]), **CRASHED}
    cells = multiprocessing.RawArray("q", [IDLE] * 2)
    with _pool(1, cells) as pool:
        try:
            pool.submit(store_chunk, os.devnull, 0, 0, [path], size, channels).result()
        except BrokenProcessPool:
            return line
    return None
