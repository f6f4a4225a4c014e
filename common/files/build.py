"""Many files in, many entries out: in parallel, resumable after a kill, and with a line for what cannot be used."""

import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from tqdm import tqdm

from .journal import Journal, Line
from .pool import run_tasks

JOURNAL_SECONDS = 3.0  # at most so much work is lost by a kill

Name = TypeVar("Name", bound=Hashable)
Given = TypeVar("Given")


def build_entries(
    tasks: Mapping[Name, Given],
    work: Callable[[Given], Line],
    crashed: Callable[[Given], Line],
    journal: Journal,
    bar: tqdm,
    workers: int,
    chunk: int = 1,
    settle: Callable[[], None] = lambda: None,
) -> dict[Name, Line]:
    """Make entries, keep a journal of them, and return name -> line: an entry's facts, or why there is none.

    Args:
        tasks: what is not yet in the journal.
        work: as of `run_tasks`; makes an entry and returns its line.
        crashed: line of a task that kills its process.
        journal: where lines are noted, every few seconds.
        bar: counts entries.
        workers: as of `run_tasks`.
        chunk: as of `run_tasks`.
        settle: called before lines are noted, to bring the entries themselves safely to the disk.
    """
    lines: dict[Name, Line] = {}
    fresh: dict[Name, Line] = {}

    def note() -> None:
        if not fresh:
            return
        settle()
        journal.add(fresh)
        lines.update(fresh)
        fresh.clear()

    noted = time.monotonic()
    try:
        for name, line in run_tasks(tasks, work, crashed, workers, chunk):
            fresh[name] = line
            bar.update()
            if time.monotonic() - noted > JOURNAL_SECONDS:
                note()
                noted = time.monotonic()
    finally:
        note()
    return lines
