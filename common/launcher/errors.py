"""What a person typed wrong."""

import difflib
from collections.abc import Collection


class UsageError(Exception):
    """A command that cannot be run.

    Args:
        problem: what is wrong, naming the word.
        remedy: what to do.
    """

    def __init__(self, problem: str, remedy: str):
        super().__init__(f"{problem}\n{remedy}")


def choose(word: str, known: Collection[str]) -> str:
    """A remedy: the nearest known word, or all of them."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known) or 'none'}."
