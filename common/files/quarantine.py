"""Files that are left out, by name and with a reason: nothing ever stands in for them."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import DatasetError

CRASHED = {"reason": "the decoder crashed on it", "remedy": "The file is damaged: get it again or leave it out"}
NAMED = 3  # files in a message


@dataclass(frozen=True)
class Quarantined:
    """A file that is left out.

    Args:
        path: the file.
        reason: what is wrong with it.
        remedy: what the user can do.
    """

    path: str
    reason: str
    remedy: str


def quarantined(lines: Iterable[Mapping[str, Any]]) -> tuple[Quarantined, ...]:
    """Those of a journal's lines that have a reason."""
    return tuple(Quarantined(line["path"], line["reason"], line["remedy"]) for line in lines if "reason" in line)


def named(files: Sequence[Quarantined]) -> str:
    """The first of them with their reasons, for a message."""
    first = "; ".join(f"{Path(file.path).name} ({file.reason})" for file in files[:NAMED])
    return first + (" ..." if len(files) > NAMED else "")


def nothing_left(where: str | os.PathLike[str], problem: str, files: Sequence[Quarantined]) -> DatasetError:
    """What to raise where all files are left out.

    Args:
        where: data set or file.
        problem: that it is so, such as "none of 3 images could be read".
        files: all of them; the first one's reason and remedy are told.
    """
    return DatasetError(where, f"{problem}; the first is {files[0].path} ({files[0].reason})", files[0].remedy)
