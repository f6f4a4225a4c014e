"""Makes a phantom's images or volumes, in order, and shows how far it is."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from ..files.bar import Bar

Job = TypeVar("Job")
Made = TypeVar("Made")


def make_all(make: Callable[[Job], Made], jobs: Iterable[Job], workers: int, unit: str, chunk: int = 2) -> list[Made]:
    """Run a picklable function over jobs, in order.

    Args:
        make: makes and writes one image or volume and returns what the tables need.
        jobs: its arguments.
        workers: processes; 0 or 1 works in this process.
        unit: what one is called.
        chunk: jobs that a process is handed at once.
    """
    jobs = list(jobs)
    with Bar(total=len(jobs), unit=unit, desc="phantom", leave=False) as bar:
        if workers < 2:
            return [_counted(bar, make(job)) for job in jobs]
        with ProcessPoolExecutor(workers) as pool:
            return [_counted(bar, made) for made in pool.map(make, jobs, chunksize=chunk)]


def _counted(bar: Bar, made: Made) -> Made:
    bar.update()
    return made
