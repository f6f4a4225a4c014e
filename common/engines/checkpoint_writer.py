"""Checkpoints are written by a thread, while training goes on."""

import logging
import math
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch.utils.serialization  # noqa: F401  (PyTorch would import it in the thread, and a fork keep its import lock)

from ..files import free_space, link_atomically, save_atomically
from .errors import CheckpointError
from .snapshot import snapshot

logger = logging.getLogger(__name__)


class CheckpointWriter:
    """Writes the checkpoints of a folder one after the other, each by a thread that ends with it.

    The state is copied before `write` returns; the thread writes the file under another name, forces it to disk,
    renames it, names the best and removes old ones. Ending a process waits for the thread, so that only a kill leaves
    less than a whole file, under the other name. Several threads never write at once: `write` waits for the earlier.

    An error in the thread is kept, and raised by the next `check`, `wait` or `write`.

    Args:
        directory: holds `iteration-<number>.pt` and `best.pt`.
        keep_last: number of newest checkpoints kept, 1 or more.
    """

    def __init__(self, directory: Path, keep_last: int):
        self.directory, self.keep_last = directory, keep_last
        self._current: _Write | None = None
        self._ended = self._took = 0.0  # seconds; of the last file

    def write(self, content: dict[str, Any], iteration: int, is_best: bool) -> None:
        """Copy the state and begin to write it.

        Where memory does not suffice for the copy, the state itself is written before this returns.

        Args:
            content: state dicts and plain values.
            iteration: gives the file its name.
            is_best: name it `best.pt` as well.

        Raises:
            CheckpointError: this file, or the one before it, cannot be written.
        """
        self.wait()  # before the copy, so that there is never more than one
        try:
            copied = snapshot(content)
        except (MemoryError, RuntimeError) as error:
            logger.warning("Training waits while its state is written, which cannot be copied first: %s", error)
            self._current = _Write(partial(self._write, content, iteration, is_best))
            self._current.run()
            self.wait()
        else:
            self._current = _Write(partial(self._write, copied, iteration, is_best))
            self._current.begin()

    def check(self) -> None:
        """Raise what the last `write` has failed by, if it has; does not wait."""
        if self._current is not None and not self._current.under_way:
            self.wait()

    def wait(self) -> None:
        """Return when what was given to `write` lies on the disk.

        Raises:
            CheckpointError: it cannot be written; the earlier checkpoints are untouched.
        """
        self.settle()
        current, self._current = self._current, None
        if current is not None and current.error is not None:
            raise current.error

    def settle(self) -> None:
        """Return when nothing is being written; an error stays for the next `check` or `wait`."""
        if self._current is not None:
            self._current.finish()

    def free_at(self, share: float) -> float:
        """When the next may begin, so that files are being written for a share of the time at most.

        Args:
            share: above 0, at most 1.

        Returns:
            seconds of the monotonic clock; infinite while one is being written.
        """
        busy = self._current is not None and self._current.under_way
        return math.inf if busy else self._ended + self._took * (1 / share - 1)

    def files(self) -> list[Path]:
        """Checkpoints of the directory, newest first, without the one being written."""
        return sorted(self.directory.glob("iteration-*.pt"), reverse=True)

    def path(self, iteration: int) -> Path:
        """Name of a file."""
        return self.directory / f"iteration-{iteration:09d}.pt"

    def drop(self, kept: int) -> None:
        """Remove all but the newest."""
        for old in self.files()[kept:]:
            old.unlink()

    def _write(self, content: dict[str, Any], iteration: int, is_best: bool) -> None:
        begin, path = time.monotonic(), self.path(iteration)
        try:
            save_atomically(content, path)
            if is_best:
                link_atomically(path, self.directory / "best.pt")
        except (OSError, RuntimeError) as error:  # PyTorch's writer turns a full disk into a RuntimeError
            raise CheckpointError(self._cannot_write(path, error)) from error
        self.drop(self.keep_last)
        self._ended = time.monotonic()
        self._took = self._ended - begin

    def _cannot_write(self, path: Path, error: Exception) -> str:
        kept = self.files()
        return (
            f"could not write the checkpoint {path}: {error}. {free_space(self.directory):.0f} MiB are free there. "
            + (f"The earlier checkpoint {kept[0].name} is untouched. " if kept else "There is no earlier checkpoint. ")
            + "Free space or choose another output_root; the same command then continues."
        )


class _Write(threading.Thread):
    """What is done once: by this thread, or by whoever waits for one whose start a signal has cut short.

    Waits for a lock of its own: a `join` that an exception of a signal handler leaves takes the thread for ended,
    though it is not (CPython 3.11).

    Attributes:
        error: what it has failed by.
    """

    def __init__(self, action: Callable[[], None]):
        super().__init__(name="checkpoint", daemon=False)
        self.error: Exception | None = None
        self._action: Callable[[], None] | None = action
        self._process = os.getpid()
        self._taken, self._unfinished = threading.Lock(), threading.Lock()
        self._unfinished.acquire()

    @property
    def under_way(self) -> bool:
        """Whether it is still to be done, or being done."""
        return self._unfinished.locked()

    def begin(self) -> None:
        """Start the thread; where the system allows no more of them, do it here."""
        try:
            self.start()
        except RuntimeError:
            self.run()

    def run(self) -> None:
        """Do it, unless it is done or being done."""
        if self._taken.acquire(blocking=False) and self._action is not None:
            try:
                self._action()
            except Exception as error:
                self.error = error
            finally:
                self._action = None  # and the memory of the copy
                self._unfinished.release()

    def finish(self) -> None:
        """Return when it is done; a forked process, which the thread is not in, does not wait."""
        if self.ident is None:
            self.run()
        if os.getpid() == self._process:
            with self._unfinished:
                pass


def finish_all() -> None:
    """Return when no thread of this process writes a checkpoint: those of an object that is gone do it to the end."""
    for thread in threading.enumerate():
        if isinstance(thread, _Write):
            thread.finish()
