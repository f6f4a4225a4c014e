"""Pictures that a training can spare the time for."""

import time
from collections.abc import Callable

SHARE = 0.05
"""Of the time, at most, that goes into pictures before the end."""


class PacedFigures:
    """Draws what is offered while that takes a small share of the time, and the rest at the end.

    A validation that is the best so far has a picture, and early in a training every validation is: drawing takes as
    long as judging some dozens of images, and a GPU waits for it. Of those that wait the newest of each name is kept.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Callable[[], None]] = {}
        self._free_at = 0.0  # seconds of the monotonic clock

    def offer(self, name: str, draw: Callable[[], None]) -> None:
        """Draw now, or later if another of this name is not offered in between.

        Args:
            name: of the picture.
            draw: draws and keeps it.
        """
        self._waiting[name] = draw
        if time.monotonic() >= self._free_at:
            self.finish()

    def finish(self) -> None:
        """Draw what waits."""
        begin = time.monotonic()
        while self._waiting:
            self._waiting.pop(next(iter(self._waiting)))()
        end = time.monotonic()
        self._free_at = end + (end - begin) * (1 / SHARE - 1)
