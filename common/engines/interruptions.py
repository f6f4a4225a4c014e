"""Ctrl-C, SIGTERM and their like end a command where the state of a run is whole."""

import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from . import distributed, joint_end

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)]
"""Ctrl-C, the end of a job, the end of a terminal, and Slurm's warning before it ends a job."""
GRACE = 5.0
"""Seconds in which further signals are the same request: a launcher passes on what its whole group received."""

PROGRAM = ("<module>", "_run_module_as_main")
"""The outermost function while a program runs; afterwards the interpreter itself calls what is left to be done."""

_taken_over: set[int] = set()
"""Signals that this process handles here."""
_left_to_parent: set[int] = set()
"""Signals that this process, a forked one, does not listen to."""
_acted_at = -GRACE
_over_since: float | None = None


def install() -> None:
    """Let the signals end this process by `KeyboardInterrupt` or `SystemExit`, whatever it is doing.

    Nothing changes for a signal that is ignored, as `nohup` does it, or has a handler of its own, and outside the
    main thread, where Python allows no handlers.
    """
    for number in _free():
        signal.signal(number, _at_once)
        _taken_over.add(number)


class Interruptions:
    """Turns the signals into `KeyboardInterrupt` and `SystemExit` where the state of a run is whole.

    During an iteration the signal waits for its end, since half a step cannot be saved; elsewhere it acts at once.
    A signal some seconds after the first one acts everywhere. Data loader workers and other forked processes leave
    the signals to this one. Outside the main thread Python allows no signal handlers: nothing changes.

    Processes that train together wait from the first iteration on, validation included, until all have agreed on the
    iteration after which they end (`joint_end`).

    Use it as a context manager around the run, call `shield` when an iteration begins, and `check` where the state is
    whole.
    """

    def __init__(self) -> None:
        self.shielded = self.joint = False
        self.received: int | None = None
        self._first_at = 0.0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "Interruptions":
        """Take over the signals."""
        self.shielded, self.joint, self.received = False, False, None
        for number in _free():
            self._previous[number] = signal.signal(number, self._on_signal)
        _taken_over.update(self._previous)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        while self._previous:
            number, previous = self._previous.popitem()
            signal.signal(number, previous)
            if previous is not _at_once:
                _taken_over.discard(number)

    def shield(self) -> None:
        """Let signals wait."""
        self.shielded, self.joint = True, distributed.notes() is not None

    def check(self, iteration: int, validated: bool = True) -> None:
        """End the shield, and act on a signal that came during it, or to another process.

        Args:
            iteration: number of those that are done.
            validated: False at the end of an epoch, whose validation processes that end together do not cut short.
        """
        self.shielded = False
        if self.joint and not validated:
            return
        number = joint_end.agreed(iteration, self.received)
        if number is not None:
            self.received = number
            _end(number)

    def consequence(self, error: BaseException) -> BaseException:
        """What a run that raised this ends by: once a signal has come, errors are its doing, as when a peer is gone."""
        return ending(self.received) if self.received is not None and isinstance(error, Exception) else error

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if _in_clean_up(number, frame):
            return
        first = self.received is None
        if first:
            self.received, self._first_at = number, time.monotonic()
        elif time.monotonic() - self._first_at < GRACE:
            return
        if not ((self.shielded or self.joint) and first):
            _end(number)


def ending(number: int) -> BaseException:
    """What a signal is turned into; a process that ends by it leaves with 128 + its number."""
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


def _end(number: int) -> None:
    global _acted_at
    _acted_at = time.monotonic()
    raise ending(number)


def _at_once(number: int, frame: FrameType | None) -> None:
    if _in_clean_up(number, frame):
        return
    if time.monotonic() - _acted_at >= GRACE:
        _end(number)


def _in_clean_up(number: int, frame: FrameType | None) -> bool:
    """Whether an exception raised here would be printed as ignored, and be lost.

    While an object is removed, the signal is sent again a moment later. When the program is over and Python cleans up,
    it has nothing left to end, unless that hangs: one that comes `GRACE` after the first ends the process.
    """
    global _over_since
    codes = []
    while frame is not None:
        codes.append(frame.f_code)
        frame = frame.f_back
    if codes and codes[-1].co_name not in PROGRAM:
        _over_since = _over_since or time.monotonic()
        if time.monotonic() - _over_since > GRACE:
            os._exit(128 + number)
        return True
    if any(code.co_name == "__del__" or "weakref" in code.co_filename for code in codes):
        again = threading.Timer(0.05, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
        return True
    return False


def _free() -> list[int]:
    """Signals that nobody else has claimed."""
    if threading.current_thread() is not threading.main_thread():
        return []
    if _left_to_parent:  # a forked process that runs a command of its own after all
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _left_to_parent)
        _left_to_parent.clear()
    ours = (signal.SIG_DFL, signal.default_int_handler, _at_once)
    return [number for number in ENDING if signal.getsignal(number) in ours]


def _leave_to_parent() -> None:
    """In a forked process, let the signals of a whole group be the parent's affair, but not those the parent sends.

    A worker that ended by itself would make its parent fail before it has saved anything.
    """
    if not _taken_over:
        return
    numbers = set(_taken_over)
    _taken_over.clear()
    can_wait = hasattr(signal, "sigwaitinfo")
    for number in numbers:
        signal.signal(number, signal.SIG_DFL if can_wait else signal.SIG_IGN)
    if can_wait:
        _left_to_parent.update(numbers)
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        threading.Thread(target=_await_parent, args=(numbers, os.getppid()), daemon=True).start()


def _await_parent(numbers: set[int], parent: int) -> None:
    while True:
        received = signal.sigwaitinfo(numbers)
        if received.si_pid == parent:
            os._exit(0)  # as PyTorch's workers do


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
