"""What the writers of phantom CTs share."""

from __future__ import annotations


def check_count(count: int, what: str) -> None:
    """Refuse to write nothing.

    Raises:
        ValueError: `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"count is {count}, below 1: ask for at least one {what}")
