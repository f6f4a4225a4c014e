"""Runs tasks in worker processes, and outlives a decoder that crashes."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ..images.store.worker import end_with

Given = TypeVar("Given")
Made = TypeVar("Made")


def run_tasks(
    tasks: Mapping[str, Given], work: Callable[[Given], Made], crashed: Callable[[Given], Made], workers: int
) -> Iterator[tuple[str, Made]]:
    """Yield (name, result) as each task is finished, in any order.

    No more tasks are in hand than there are workers, so that a crash has few suspects; these are then run again, each
    in a process of its own, and whichever dies again is to blame.

    Args:
        tasks: name -> task.
        work: done in a worker process; importable by name.
        crashed: what stands for the result of a task that kills its process.
        workers: processes, 1 or more; 1 works in this process.
    """
    if workers == 1:
        for name, task in tasks.items():
            yield name, work(task)
        return
    waiting = list(tasks)[::-1]
    while waiting:
        in_hand: dict[Future[Made], str] = {}
        try:
            with _pool(workers) as pool:
                while waiting or in_hand:
                    while waiting and len(in_hand) < workers:
                        name = waiting.pop()
                        in_hand[pool.submit(work, tasks[name])] = name
                    for future in wait(in_hand, return_when=FIRST_COMPLETED).done:
                        result = future.result()
                        yield in_hand.pop(future), result
        except BrokenProcessPool:
            for name in in_hand.values():
                yield name, _alone(tasks[name], work, crashed)


def _pool(workers: int) -> ProcessPoolExecutor:
    # Forked: a spawned worker would import PyTorch again, which takes longer than preparing a volume.
    context = multiprocessing.get_context("fork")
    return ProcessPoolExecutor(workers, context, initializer=end_with, initargs=(os.getpid(),))


def _alone(task: Given, work: Callable[[Given], Made], crashed: Callable[[Given], Made]) -> Made:
    with _pool(1) as pool:
        try:
            return pool.submit(work, task).result()
        except BrokenProcessPool:
            return crashed(task)
