"""One spelling for what a table or a folder writes in several: patients, classes, splits."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from ...files.notices import add_notice, first_few

Value = TypeVar("Value")
WHOLE = re.compile(r"([+-]?)0*(\d+)(?:\.0*)?", re.ASCII)
SPLIT_FOLDERS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def folded(text: str) -> str:
    """Return a name without what spelling changes: case, blanks, and whether an accent is a letter of its own."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def canonical(text: str) -> str:
    """Return a value as `folded` does, and a whole number in one form: 1, 01 and 1.0 are the same."""
    text = folded(text)
    whole = WHOLE.fullmatch(text)
    return whole.group(1).replace("+", "") + whole.group(2) if whole else text


def one_spelling(values: Iterable[str], what: str) -> dict[str, str]:
    """Map each value to the spelling that stands for all of its own, the most frequent one.

    Values that are spelled alike keep their spelling, and what was taken together is said.

    Args:
        values: as read.
        what: they are, for the notice.
    """
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for value, count in Counter(values).items():
        spellings[canonical(value)][value] += count
    chosen = {
        value: min(counts, key=lambda spelling: (-counts[spelling], len(spelling), spelling))
        for counts in spellings.values()
        for value in counts
    }
    several = [" = ".join(sorted(counts)) for counts in spellings.values() if len(counts) > 1]
    if several:
        add_notice(f"{len(several)} {what} are spelled in several ways and taken for one ({first_few(several)})")
    return chosen


def spelled(values: Mapping[str, Value], text: str, form: Callable[[str], str] = canonical) -> Value | None:
    """Look up a name as it is spelled, or else in any spelling; None where there is none, or several."""
    if text in values:
        return values[text]
    near = [value for name, value in values.items() if form(name) == form(text)]
    return near[0] if len(near) == 1 else None
