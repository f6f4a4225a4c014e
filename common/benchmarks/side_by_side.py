"""Several processes of a study at once: they share its cells, one card and one time."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch

from ..files.pool import cores
from ..studies.run import tail

GIB_EACH = 32  # of the card's memory
CORES_EACH = 4  # a process that launches, and workers that read images
STUDY: Sequence[str] = (sys.executable, "scripts/study.py")
SAID = re.compile(r"\d\d:\d\d:\d\d ")  # what a study says of its cells, and not its tables


def processes_for(gib: float, processors: int) -> int:
    """How many processes of a study keep a card busy: a run's start, its probes and small steps leave it idle.

    Args:
        gib: memory of the card; 0 is none, where one process has the processor for itself.
        processors: cores that may be used.

    Example:
        >>> processes_for(139.8, 16), processes_for(139.8, 8), processes_for(24, 16), processes_for(0, 16)
        (4, 2, 1, 1)
    """
    return max(1, min(int(gib // GIB_EACH), processors // CORES_EACH))


def processes_here() -> int:
    """As many as this machine's card and cores are enough for."""
    gib = torch.cuda.get_device_properties(0).total_memory / 2**30 if torch.cuda.is_available() else 0
    return processes_for(gib, cores())


def side_by_side(study: Sequence[str], minutes: float, processes: int, logs: Path) -> list[int]:
    """Run several processes of a study until all have ended, and say which of them failed.

    What they say of cells appears at once, behind the number of the process; everything is in `study-NUMBER.log`.
    When this is interrupted or fails, they are told to end, which saves the run at hand.

    Args:
        study: words of `scripts/study.py`.
        minutes: that each may take.
        processes: how many.
        logs: folder of the logs.

    Returns:
        their exit statuses.
    """
    command = [*STUDY, *study, "--limit-minutes", f"{minutes:.1f}"]
    shared = {"OMP_NUM_THREADS": str(max(1, cores() // processes)), **os.environ}
    files = [logs / f"study-{number}.log" for number in range(1, processes + 1)]
    children: list[subprocess.Popen[str]] = []
    heard: list[Future[None]] = []
    with ThreadPoolExecutor(processes) as listeners:
        try:
            for number, file in enumerate(files, 1):
                child = subprocess.Popen(
                    command,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    env=shared,
                )
                children.append(child)
                heard.append(listeners.submit(_listen, child, number, file))
            statuses = [child.wait() for child in children]
            for listener in heard:  # a log that cannot be written
                listener.result()
        finally:
            for child in children:
                if child.poll() is None:
                    child.terminate()
    for number, (status, file) in enumerate(zip(statuses, files, strict=True), 1):
        if status:
            print(f"process {number} of the study ended with status {status}; the end of {file}:\n{tail(file)}")
    return statuses


def _listen(child: subprocess.Popen[str], number: int, file: Path) -> None:
    """Keep what a process prints, and pass on what it says of its cells."""
    assert child.stdout is not None
    with child.stdout, file.open("w", encoding="utf-8") as log:
        for line in child.stdout:
            log.write(line)
            log.flush()
            if SAID.match(line):
                print(f"{number}: {line}", end="", flush=True)
