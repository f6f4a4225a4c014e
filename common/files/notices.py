"""What a reader has to say beside its records: said where it is noticed, gathered by `read`."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_gathered: ContextVar[list[str] | None] = ContextVar("notices", default=None)


def say(text: str) -> None:
    """Add a notice to the corpus that is being read; without one it becomes a warning."""
    lines = _gathered.get()
    if lines is None:
        warnings.warn(text, stacklevel=2)
    elif text not in lines:
        lines.append(text)


@contextmanager
def gathered() -> Iterator[list[str]]:
    """Give the list that `say` fills while the block runs."""
    lines: list[str] = []
    token = _gathered.set(lines)
    try:
        yield lines
    finally:
        _gathered.reset(token)


def some(names: Iterable[object], count: int = 3) -> str:
    """Name a few of many, in letters that can be printed whatever the encoding of a file name."""
    listed = list(names)
    text = ", ".join(map(str, listed[:count])) + (", ..." if len(listed) > count else "")
    return printable(text)


def printable(text: str) -> str:
    r"""Write the bytes of a file name that are no UTF-8 as \xe9."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
