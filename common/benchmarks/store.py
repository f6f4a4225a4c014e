"""Measure the store: building it from PNG files, and reading batches from it."""

import io
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from ..files.pool import cores
from ..images.dataset import StoreViews
from ..images.store.store import Store
from ..records import Corpus, Record
from ..sampling import SeededSampler

BATCH = 64


class _NoView:
    def sample(self, generator: torch.Generator, size: tuple[int, int]) -> dict[str, torch.Tensor]:
        return {"box": torch.rand(4, generator=generator)}


def measure_store(
    folder: str | None = None, size: int = 256, count: int = 192, workers: int | None = None, seconds: float = 2.0
) -> dict[str, Any]:
    """Measure building and reading.

    The bare speed is Pillow decoding the same PNG bytes to arrays and nothing else: alone on one core, and in
    as many processes at once as the build uses, since cores that share a memory bus or a machine's other work
    never reach the single speed times their number. The ratio of CPU times holds on a busy machine too.

    Args:
        folder: of PNG files; None makes synthetic ones of 1024 pixels.
        size: of the store.
        count: files to use, 1 or more.
        workers: processes of the build; None takes all cores.
        seconds: of each reading measurement.

    Returns:
        Images per second and ratios.
    """
    workers = workers or cores()
    with tempfile.TemporaryDirectory() as scratch:
        found = sorted(map(str, Path(folder).rglob("*.png")))[:count] if folder else []
        paths = found if folder else synthetic_images(Path(scratch), count)
        if not paths:
            raise ValueError(f"{folder} holds no PNG file")
        corpus = Corpus("benchmark", tuple(Record(path, path, "train", "benchmark") for path in paths))
        _decode_all(paths)  # the files come from the page cache in every measurement
        bare_runs = [_timed(lambda: _decode_all(paths)) for _ in range(3)]
        bare = len(paths) / min(run.wall for run in bare_runs)
        together_runs = [_timed(lambda: _bare_in_parallel(paths, workers)) for _ in range(3)]
        together = len(paths) / min(run.wall for run in together_runs)
        builds = [
            _timed(partial(Store.build, corpus, f"{scratch}/{turn}", size, 1, workers, False)) for turn in range(3)
        ]
        build, store = len(paths) / min(run.wall for run in builds), builds[-1].result
        return {
            "source": "folder" if folder else "synthetic 1024 px",
            "images": len(paths),
            "megabytes_per_png": sum(Path(path).stat().st_size for path in paths) / len(paths) / 1e6,
            "workers": workers,
            "bare_decode_per_core": bare,
            "bare_decode_together": together,
            "build": build,
            "build_to_bare_times_cores": build / (bare * workers),
            "build_to_bare_together": build / together,
            "build_to_bare_by_cpu_time": min(run.cpu for run in together_runs) / min(run.cpu for run in builds),
            "batch_per_core": _reading(store, seconds),
            "loader_per_core": _loading(store, seconds),
            "store_size": size,
        }


class _Run(NamedTuple):
    wall: float
    cpu: float
    result: Any


def _timed(work: Callable[[], Any]) -> _Run:
    start, cpu = time.perf_counter(), _cpu(children=True)
    result = work()
    return _Run(time.perf_counter() - start, _cpu(children=True) - cpu, result)


def _decode_all(paths: list[str]) -> None:
    for path in paths:
        np.asarray(Image.open(io.BytesIO(Path(path).read_bytes())))


def _bare_in_parallel(paths: list[str], workers: int) -> None:
    with ProcessPoolExecutor(workers, get_context("fork")) as pool:
        list(pool.map(_decode_all, [paths[start : start + 8] for start in range(0, len(paths), 8)]))


def _reading(store: Store, seconds: float) -> float:
    """Random rows to uint8 batches, on this core alone; CPU time, so that other programs do not count."""
    order, done = np.random.default_rng(0).integers(0, len(store), 100_000), 0
    start = _cpu()
    while _cpu() - start < seconds:
        begin = done % (len(order) - BATCH)
        store.batch(order[begin : begin + BATCH])
        done += BATCH
    return done / (_cpu() - start)


def _loading(store: Store, seconds: float) -> float:
    """Drive the same through PyTorch's data loader, with sampler, view parameters and default collation."""
    dataset = StoreViews(store, _NoView(), seed=0)
    batch = min(BATCH, len(store))
    loader = torch.utils.data.DataLoader(dataset, batch, sampler=SeededSampler(len(store), 0, batch), drop_last=True)
    done, start = 0, _cpu()
    while _cpu() - start < seconds:
        done += sum(len(found["image"]) for found in loader)
    return done / (_cpu() - start)


def _cpu(children: bool = False) -> float:
    """Return the CPU seconds of this process, and of its finished children."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)[: 1 + children]
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, kinds))


def synthetic_images(folder: Path, count: int, size: int = 1024) -> list[str]:
    """Write smooth fields with grain: about the bytes per pixel of a radiograph."""
    generator, paths = np.random.default_rng(0), []
    for number in range(count):
        coarse = Image.fromarray(generator.integers(30, 220, (8, 8), dtype=np.uint8)).resize((size, size), 3)
        grain = generator.normal(0, 2.0, (size, size))
        path = folder / f"{number:05}.png"
        Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)).save(path, compress_level=6)
        paths.append(str(path))
    return paths
