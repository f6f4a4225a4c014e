"""What the writers of phantom CTs share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Job = TypeVar("Job")
Made = TypeVar("Made")


def check_count(count: int, what: str) -> None:
    """Refuse to write nothing.

    Raises:
        ValueError: `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"count is {count}, below 1: ask for at least one {what}")


def make_all(make: Callable[[Job], Made], jobs: Iterable[Job], workers: int) -> list[Made]:
    """Run a picklable function over jobs, in order.

    Args:
        make: makes and writes one volume and returns what the tables need.
        jobs: its arguments.
        workers: processes; 0 or 1 works in this process.
    """
    if workers < 2:
        return [make(job) for job in jobs]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(make, jobs, chunksize=2))
