"""Ctrl-C and SIGTERM end a run between two iterations."""

import signal
import threading
from types import FrameType
from typing import Any


class Interruptions:
    """Turns SIGINT and SIGTERM into `KeyboardInterrupt` and `SystemExit` where the state of a run is whole.

    During an iteration the signal waits for its end, since half a step cannot be saved; elsewhere it acts at once,
    and the second signal does so everywhere. Outside the main thread Python allows no signal handlers: nothing changes.

    Use it as a context manager around the run, and set `shielded` during an iteration.
    """

    def __init__(self) -> None:
        self.shielded = False
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "Interruptions":
        """Take over the signals."""
        self.shielded, self.received = False, None
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        while self._previous:
            signal.signal(*self._previous.popitem())

    def check(self) -> None:
        """End the shield, and act on a signal that came during it."""
        self.shielded = False
        if self.received is not None:
            self._raise(self.received)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        first, self.received = self.received is None, number
        if not (self.shielded and first):
            self._raise(number)

    def _raise(self, number: int) -> None:
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)
