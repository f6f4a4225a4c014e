"""Whether a run came to its end, as its log tells; no library is waited for."""

import os
import re
from pathlib import Path

from ..claims import claimed_elsewhere
from ..run_folder import CHECKPOINTS, CONFIG, LOCK, LOG

EVENTS = re.compile(
    r"progress - INFO - epoch (?P<done>\d+)/(?P<of>\d+)  |^(?P<end>finished) +\S.*: \d+ of \d+ epochs "
    r"|Going on from .*: iteration \d+, epoch (?P<before>\d+)\.$",
    re.MULTILINE,
)
EPOCHS = re.compile(r"^epochs: (\d+)$", re.MULTILINE)
TAIL = 2**18
"""Bytes of the end of a log that are read; a traceback has some thousand."""


def unfinished(folder: Path) -> str:
    """`interrupted at epoch 3 of 30`, or that it is being trained; nothing of a run that ended, or that has no log.

    Args:
        folder: of the run.
    """
    log = _tail(folder / LOG)
    if not log:
        return ""
    last = max(EVENTS.finditer(log), key=re.Match.start, default=None)
    if last is not None and (last["end"] or (last["of"] and last["done"] == last["of"])):
        return ""
    planned = EPOCHS.search(_tail(folder / CONFIG))
    done = int(last["done"] or last["before"]) if last is not None else 0
    of = last["of"] if last is not None and last["of"] else planned[1] if planned else None
    epoch = f"epoch {done + 1}" + (f" of {of}" if of else "")
    return f"in training, {epoch}" if claimed_elsewhere(folder / CHECKPOINTS / LOCK) else f"interrupted at {epoch}"


def _tail(path: Path) -> str:
    """The end of a file; nothing where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - TAIL, 0))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
