"""JSRT's two tables of clinical information: lines without a header, ended by carriage returns."""

import math
from dataclasses import dataclass
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice
from ...files.text import read_lines
from ...records import Box
from ..support.boxes import Rectangle, box_in
from ..support.person import age_of, sex_of
from ..support.suffixes import stem
from ..support.tables import number
from ..support.tree import Tree

NODULES, NONE = ("CLNDAT_EN.txt", "CLNDAT_EN.TXT"), ("CNNDAT_EN.TXT", "CNNDAT_EN.txt")
FRAME = (2048, 2048)  # of all positions
SPACING = 0.175  # millimetres between its pixels


@dataclass(frozen=True)
class Clinical:
    """What a line says: sex "F" or "M", age in years, and a box around the nodule; None where it does not say."""

    sex: str | None = None
    age: float | None = None
    box: Box | None = None


def read_clinical(tree: Tree, finding: str) -> dict[str, Clinical]:
    """Return image -> facts; a table that is missing is said.

    Args:
        tree: files of the data set.
        finding: name for the boxes, squares as wide as the nodule around its centre.

    Raises:
        DatasetError: a line of another form, or a nodule outside its image.
    """
    told = {}
    for names, with_nodule in ((NODULES, True), (NONE, False)):
        path = tree.find(names)
        if path is None:
            add_notice(f"{names[0]} is missing: no sex and age{', and no boxes' * with_nodule} of its images")
            continue
        for line in read_lines(path):
            fields = line.split()
            name = stem(fields[0]).upper()
            told[name] = _with_nodule(fields, name, finding, path) if with_nodule else _without(fields, path)
    return told


def _with_nodule(fields: list[str], name: str, finding: str, path: Path) -> Clinical:
    """Name, subtlety, size in mm, age, sex, x, y of the centre, and what follows."""
    try:
        size, x, y = (number(fields[place]) for place in (2, 5, 6))
        if not math.isfinite(size + x + y):
            raise ValueError("a blank")
    except (IndexError, ValueError) as error:
        problem = f"{' '.join(fields)[:60]!r} is no line of name, subtlety, size, age, sex, x and y ({error})"
        raise DatasetError(path, problem, "Get the publisher's file again") from None
    half = size / SPACING / 2
    square = Rectangle(finding, (y - half, x - half, y + half, x + half), "the nodule")
    return Clinical(sex_of(fields[4]), age_of(fields[3]), box_in(square, FRAME, name, path))


def _without(fields: list[str], path: Path) -> Clinical:
    """Name, age, sex, "non-nodule"."""
    if len(fields) < 3:
        problem = f"{' '.join(fields)!r} is no line of name, age and sex"
        raise DatasetError(path, problem, "Get the publisher's file again")
    return Clinical(sex_of(fields[2]), age_of(fields[1]))
