"""Notices: what a reader has to say beside its records, added where it is noticed and collected by `read`."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_collected: ContextVar[list[str] | None] = ContextVar("notices", default=None)


def add_notice(text: str) -> None:
    """Add a notice to the corpus that is being read; without one it becomes a warning."""
    lines = _collected.get()
    if lines is None:
        warnings.warn(text, stacklevel=2)
    elif text not in lines:
        lines.append(text)


@contextmanager
def collect_notices() -> Iterator[list[str]]:
    """Give the list that `add_notice` fills while the block runs."""
    lines: list[str] = []
    token = _collected.set(lines)
    try:
        yield lines
    finally:
        _collected.reset(token)


def first_few(names: Iterable[object], count: int = 3) -> str:
    """Name a few of many, in letters that can be printed whatever the encoding of a file name."""
    listed = list(names)
    text = ", ".join(map(str, listed[:count])) + (", ..." if len(listed) > count else "")
    return printable(text)


def printable(text: str) -> str:
    r"""Write the bytes of a file name that are no UTF-8 as \xe9."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
