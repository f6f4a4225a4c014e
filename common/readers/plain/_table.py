"""The table of labels that may come with a plain folder."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

import pandas as pd

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ..support.matching import match
from ..support.spelling import one_spelling, spelled
from ..support.tables import blank, number, read_table, require_column
from ._facts import facts_of

CLASS_BLANKS = ("none", "n/a", "na")  # which may be classes, too


@dataclass(frozen=True)
class Row:
    """What the table says about one image; None where it has no such column, or a blank.

    Args:
        image: as the table names it.
        labels: one number per finding.
        patient: identifier.
        split: "train", "val" or "test".
        view: projection.
        study: examination.
        sex: "F" or "M".
        age: in years.
        spacing: millimetres between pixels, (row, col).
    """

    image: str
    labels: tuple[float, ...] | None = None
    patient: str | None = None
    split: str | None = None
    view: str | None = None
    study: str | None = None
    sex: str | None = None
    age: float | None = None
    spacing: tuple[float, float] | None = None


@dataclass
class FolderTable:
    """Rows that can be looked up by an image's path, after `match_images`.

    Args:
        path: of the table.
        findings: names of the labels.
        rows: one per image, in the order of the file.
        columns: which of the facts it has a column for.
    """

    path: Path
    findings: tuple[str, ...]
    rows: Sequence[Row]
    columns: frozenset[str] = frozenset()
    lost: list[str] = field(default_factory=list)
    _by_image: dict[Path, Row] = field(default_factory=dict)

    def match_images(self, images: Sequence[Path], bases: Sequence[Path]) -> None:
        """Find the image of each row.

        Raises:
            DatasetError: none of them is there, or a name may mean several images.
        """
        rows = {row.image: row for row in self.rows}
        found = match(rows, images, bases, self.path)
        if not found.name_of:
            problem = f"none of its images ({first_few(rows)}) is in {bases[-1]}"
            raise DatasetError(self.path, problem, "Check the options image_column and images")
        found.refuse_contrary(lambda name: _comparable(replace(rows[name], image="")), self.path)
        if found.again:
            more = f"{len(found.again)} lines name an image in another spelling and say the same of it"
            add_notice(f"{self.path.name}: {more} ({first_few(found.again)})")
        self._by_image = {image: rows[name] for image, name in found.name_of.items()}
        self.lost = found.lost

    def find(self, image: Path) -> Row | None:
        """Return the row of an image."""
        return self._by_image.get(image)


def read_folder_table(
    path: Path, image_column: str, columns: Mapping[str, str | Sequence[str] | None], classes: Sequence[str] | None
) -> FolderTable:
    """Read the table.

    Args:
        path: of the table.
        image_column: its column of file names.
        columns: the reader's options whose names end in column or columns; None, or left out, has none.
        classes: order of the values of the class column; None sorts those there are.

    Raises:
        DatasetError: no such file or column, a value that is no label or split, or lines that contradict each other.
    """
    table = read_table(path, numbers=(*(columns["label_columns"] or ()), *(columns.get("spacing_columns") or ())))
    require_column(table, image_column, path, "image_column")
    for option, value in columns.items():
        for column in [value] if isinstance(value, str) else value or ():
            require_column(table, column, path, option)
    if columns["label_columns"] and columns["class_column"]:
        raise DatasetError(path, "both label_columns and class_column are given", "Give one of them")
    findings, labels = _labels(table, columns, classes, path)
    facts = facts_of(table, columns, path)
    rows = [
        (line, Row(image, labels[place], **{key: values[place] for key, values in facts.items()}))
        for place, (line, image) in enumerate(zip(table.index, table[image_column], strict=True))
    ]
    return FolderTable(path, findings, _one_each(rows, path), frozenset(facts))


def _one_each(rows: Sequence[tuple[int, Row]], path: Path) -> list[Row]:
    """Merge lines that say the same of one image, and refuse those that do not."""
    by_image: dict[str, list[tuple[int, Row]]] = defaultdict(list)
    for line, row in rows:
        by_image[row.image].append((line, row))
    if nameless := by_image.pop("", []):
        add_notice(
            f"{path.name} has {len(nameless)} lines that name no image (line {first_few(line for line, _ in nameless)})"
        )
    again = {image: found for image, found in by_image.items() if len(found) > 1}
    contrary = [
        f"{image} on lines {first_few(line for line, _ in found)}"
        for image, found in again.items()
        if len({_comparable(row) for _, row in found}) > 1
    ]
    if contrary:
        problem = f"{len(contrary)} images have more than one line, which contradict each other ({first_few(contrary)})"
        raise DatasetError(path, problem, "Keep one line per image, or check the option image_column")
    if again:
        add_notice(f"{path.name} has several equal lines of {len(again)} images, which count once ({first_few(again)})")
    return [found[0][1] for found in by_image.values()]


def _comparable(row: Row) -> tuple[object, ...]:
    """Its values, of which unknown labels are equal."""
    known = [None if math.isnan(value) else value for value in row.labels or ()]
    return (*astuple(replace(row, labels=None)), *known)


def _labels(
    table: pd.DataFrame, columns: Mapping[str, str | Sequence[str] | None], classes: Sequence[str] | None, path: Path
) -> tuple[tuple[str, ...], list[tuple[float, ...] | None]]:
    if columns["class_column"]:
        return _classes(table[str(columns["class_column"])], str(columns["class_column"]), classes, path)
    names = tuple(columns["label_columns"] or ())
    if not names:
        return (), [None] * len(table)
    values = [
        [_number(text, name, line, path) for line, text in zip(table.index, table[name], strict=True)] for name in names
    ]
    return names, list(zip(*values, strict=True))


def _classes(
    texts: pd.Series, column: str, classes: Sequence[str] | None, path: Path
) -> tuple[tuple[str, ...], list[tuple[float, ...] | None]]:
    stated = [text if text and (not blank(text) or text.casefold() in CLASS_BLANKS) else "" for text in texts]
    known = tuple(map(str, classes or ()))
    if known:
        order = {name: name for name in known}
        told = {text: spelled(order, text) for text in set(stated) - {""}}
        strange = sorted(text for text, name in told.items() if name is None)
        if strange:
            problem = f"the column '{column}' has {first_few(strange)}, not one of {', '.join(known)}"
            raise DatasetError(path, problem, "Complete the option classes")
        found = {text: str(name) for text, name in told.items()}
    else:
        found = one_spelling([text for text in stated if text], f"classes of {path.name}")
        known = tuple(sorted(set(found.values())))
        for name in (name for name in known if blank(name)):
            add_notice(f"{path.name}: {name!r} counts as a class of the column '{column}'; leave blank what is unknown")
    return known, [tuple(float(found[text] == name) for name in known) if text else None for text in stated]


def _number(text: str, column: str, line: int, path: Path) -> float:
    """A label: a number from 0 to 1, or unknown, which is blank or -1."""
    problem = f"line {line}: the column '{column}' has the value {text!r}"
    try:
        value = number(text)
    except ValueError:
        raise DatasetError(path, problem, "Labels are numbers; for class names use class_column") from None
    if value == -1 or math.isnan(value):
        return math.nan
    if not 0 <= value <= 1:
        raise DatasetError(path, problem, "A label lies in 0 to 1; blank or -1 is unknown")
    return value
