"""How far a long step is, for who waits for it."""

import sys
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

EVERY = 20.0
"""Seconds between two lines in a file."""


class Bar(tqdm):
    """tqdm's bar on a terminal; elsewhere, where it would be one endless line, a line every 20 seconds.

    Arguments are tqdm's. A step of less than 20 seconds says nothing in a file.
    """

    def __init__(self, *arguments: Any, **named: Any):
        self._in_lines = not sys.stderr.isatty()
        lines = {"mininterval": EVERY, "delay": EVERY, "miniters": 1, "ascii": True} if self._in_lines else {}
        super().__init__(*arguments, **{**named, **lines})

    @staticmethod
    def status_printer(file: Any) -> Callable[[str], None]:
        """What shows a state: over the one before, or below it."""
        if sys.stderr.isatty():
            return tqdm.status_printer(file)
        return lambda text: print(text, file=file, flush=True) if text.strip() else None

    def close(self) -> None:
        """End it; in a file there is nothing to clear."""
        if self._in_lines:
            self.leave, self.last_print_t = False, 0.0
        super().close()
