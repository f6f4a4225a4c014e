"""Several processes that end by a signal, all after the same iteration.

A signal reaches the processes of a run one after the other. One that left at once would make the others fail in the
middle of an iteration, among them perhaps the first, which alone writes checkpoints.
"""

from contextlib import suppress
from datetime import timedelta

from . import distributed

AHEAD = 2
"""Iterations from the note to the end. No process is more than one ahead, as each waits for the others' losses."""
LONGEST_SAVE = timedelta(minutes=5)
_END, _SAVED = "end", "saved"


def agreed(iteration: int, received: int | None) -> int | None:
    """The signal to end by now; None to go on.

    The first process that has received one notes it and the iteration after which all end; all look for the note after
    each iteration.

    Args:
        iteration: number of those that are done.
        received: the signal that this process has received, if any.
    """
    notes = distributed.notes()
    if notes is None:
        return received
    if received is not None:
        notes.compare_set(_END, "", f"{iteration + AHEAD} {received}")
    if not notes.check([_END]):
        return None
    last, number = map(int, notes.get(_END).split())
    return number if iteration >= last else None


def leave_last() -> None:
    """Keep the other processes until the first has saved: launchers end a job of which one process has ended."""
    notes = distributed.notes()
    if notes is None:
        return
    with suppress(RuntimeError):  # whoever keeps the notes is gone
        if distributed.rank() == 0:
            notes.set(_SAVED, "")
        elif notes.check([_END]):
            notes.wait([_SAVED], LONGEST_SAVE)
