"""What is said of a volume that is read although something about it cannot be told for certain."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class Doubt(UserWarning):
    """Something about a file had to be assumed; a warning and no error, since the file may well be right.

    Args:
        text: what it is, what was assumed, and what to do where that is wrong.
        path: the file; None inside a format's own module, which `read.file_errors` completes.
    """

    def __init__(self, text: str, path: str | os.PathLike[str] | None = None):
        super().__init__(text, path)
        self.text, self.path = text, path

    def __str__(self) -> str:
        return self.text if self.path is None else f"{self.path}: {self.text}"


def doubt(text: str) -> None:
    """Say something of the file in hand."""
    warnings.warn(Doubt(text), stacklevel=2)


@contextmanager
def collect_doubts() -> Iterator[list[Doubt]]:
    """Gather doubts instead of showing them; the list is filled when the block ends."""
    found: list[Doubt] = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", Doubt)
        yield found
    found += [one.message for one in said if isinstance(one.message, Doubt)]
    for one in said:
        if not isinstance(one.message, Doubt):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
