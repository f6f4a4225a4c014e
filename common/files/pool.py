"""Runs tasks in worker processes, and outlives one that crashes."""

import logging
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)
Given = TypeVar("Given")
Made = TypeVar("Made")

logger = logging.getLogger(__name__)


def run_tasks(
    tasks: Mapping[Name, Given],
    work: Callable[[Given], Made],
    crashed: Callable[[Given], Made],
    workers: int,
    chunk: int = 1,
) -> Iterator[tuple[Name, Made]]:
    """Yield (name, result) as tasks are finished, in any order.

    When a worker dies, the tasks that it may have had in hand are done again, each chunk in a process of its own; where
    that one dies too, so do its halves, until the task that is to blame is alone.

    Args:
        tasks: name -> task.
        work: done in a worker process; importable by name, or a `partial` of such a function.
        crashed: what stands for the result of a task that kills its process.
        workers: processes, 1 or more; 1 works in this process.
        chunk: tasks that are handed over at once; more for tasks of milliseconds.
    """
    if workers == 1:
        for name, task in tasks.items():
            yield name, work(task)
        return
    names, waiting = list(tasks), deque[list[Name]]()
    waiting.extend(names[start : start + chunk] for start in range(0, len(names), chunk))
    while waiting:
        in_hand: dict[Future[list[Made]], list[Name]] = {}
        try:
            with _pool(min(workers, len(waiting))) as pool:
                try:
                    while waiting or in_hand:
                        # One is ready for each worker while this process is busy with results.
                        while waiting and len(in_hand) < 2 * workers:
                            future = pool.submit(_each, work, [tasks[name] for name in waiting[0]])
                            in_hand[future] = waiting.popleft()
                        for future in wait(in_hand, return_when=FIRST_COMPLETED).done:
                            made = future.result()
                            yield from zip(in_hand.pop(future), made, strict=True)
                finally:
                    pool.shutdown(wait=True, cancel_futures=True)
        except BrokenProcessPool:
            logger.warning("A worker process died. If it was no file's fault, memory is short: use fewer workers")
        # They are begun in order, so that whoever died had one of the first in hand.
        suspects = list(in_hand.values())
        waiting.extendleft(reversed(suspects[workers:]))
        for suspect in suspects[:workers]:
            yield from zip(suspect, _alone([tasks[name] for name in suspect], work, crashed), strict=True)


def _each(work: Callable[[Given], Made], tasks: Sequence[Given]) -> list[Made]:
    return [work(task) for task in tasks]


def _alone(tasks: list[Given], work: Callable[[Given], Made], crashed: Callable[[Given], Made]) -> list[Made]:
    with _pool(1) as pool:
        try:
            return pool.submit(_each, work, tasks).result()
        except BrokenProcessPool:
            if len(tasks) == 1:
                return [crashed(tasks[0])]
    half = len(tasks) // 2
    return [*_alone(tasks[:half], work, crashed), *_alone(tasks[half:], work, crashed)]


def _pool(workers: int) -> ProcessPoolExecutor:
    # Forked: a spawned worker would import PyTorch again, which takes longer than most of these works.
    context = multiprocessing.get_context("fork")
    return ProcessPoolExecutor(workers, context, initializer=_end_with, initargs=(os.getpid(),))


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: one that is killed cannot end its workers, and they would stay."""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.3)
    os._exit(1)


def cores() -> int:
    """Cores that this process may use; where the system does not tell, those that there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
