"""The table of labels that may come with a plain folder."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ...records import SPLITS
from ..errors import DatasetError
from .tables import read_table, require_column, some
from .tree import index_names, look_up

UNKNOWN = ("", "-1", "-1.0", "nan", "NaN", "NA")


@dataclass
class Row:
    """What the table says about one image; None where it has no such column.

    Args:
        image: as the table names it.
        labels: one number per finding.
        patient: identifier.
        split: "train", "val" or "test".
        view: projection.
    """

    image: str
    labels: tuple[float, ...] | None = None
    patient: str | None = None
    split: str | None = None
    view: str | None = None


@dataclass
class FolderTable:
    """Rows that can be looked up by an image's path.

    Args:
        path: of the table.
        findings: names of the labels.
        rows: in the order of the file.
    """

    path: Path
    findings: tuple[str, ...]
    rows: Sequence[Row]
    _index: dict[str, str] = field(init=False)
    _by_image: dict[str, Row] = field(init=False)

    def __post_init__(self) -> None:
        twice = [image for image, count in Counter(row.image for row in self.rows).items() if count > 1]
        if twice:
            problem = f"{len(twice)} images have more than one line ({some(twice)})"
            raise DatasetError(self.path, problem, "Keep one line per image, or check the option image_column")
        self._by_image = {row.image: row for row in self.rows}
        self._index = index_names(self._by_image)

    def find(self, path: Path, base: Path) -> Row | None:
        """Return the row of an image by its path below `base`, its file name, or its stem."""
        name = look_up(self._index, path, base)
        return None if name is None else self._by_image[name]


def read_folder_table(
    path: Path, image_column: str, columns: Mapping[str, str | Sequence[str] | None], classes: Sequence[str] | None
) -> FolderTable:
    """Read the table.

    Args:
        path: of the table.
        image_column: its column of file names.
        columns: the reader's options label_columns, class_column, patient_column, split_column, view_column.
        classes: order of the values of the class column; None sorts those there are.

    Raises:
        DatasetError: no such file or column, or a value that is no label or split.
    """
    table = read_table(path)
    require_column(table, image_column, path, "image_column")
    for option, value in columns.items():
        for column in [value] if isinstance(value, str) else value or ():
            require_column(table, column, path, option)
    if columns["label_columns"] and columns["class_column"]:
        raise DatasetError(path, "both label_columns and class_column are given", "Give one of them")
    findings, labels = _labels(table, columns, classes, path)
    rows = []
    for number, line in enumerate(table.to_dict("records")):
        facts = {key: str(line[name]).strip() or None for key, name in _plain(columns).items()}
        if facts.get("split") is not None and facts["split"] not in SPLITS:
            problem = f"{line[image_column]} has the split {facts['split']!r}"
            raise DatasetError(path, problem, f"Known are {', '.join(SPLITS)}; check the option split_column")
        rows.append(Row(str(line[image_column]).strip(), labels[number], **facts))
    return FolderTable(path, findings, rows)


def _plain(columns: Mapping[str, str | Sequence[str] | None]) -> dict[str, str]:
    names = {"patient": "patient_column", "split": "split_column", "view": "view_column"}
    return {key: str(columns[option]) for key, option in names.items() if columns[option]}


def _labels(
    table: pd.DataFrame, columns: Mapping[str, str | Sequence[str] | None], classes: Sequence[str] | None, path: Path
) -> tuple[tuple[str, ...], list[tuple[float, ...] | None]]:
    if columns["class_column"]:
        values = [str(value).strip() for value in table[str(columns["class_column"])]]
        names = tuple(map(str, classes)) if classes else tuple(sorted({value for value in values if value}))
        strange = sorted({value for value in values if value} - set(names))
        if strange:
            problem = f"the column '{columns['class_column']}' has {some(strange)}, not one of {', '.join(names)}"
            raise DatasetError(path, problem, "Complete the option classes")
        return names, [tuple(float(value == name) for name in names) if value else None for value in values]
    names = tuple(columns["label_columns"] or ())
    if not names:
        return (), [None] * len(table)
    return names, [tuple(_number(row[name], name, path) for name in names) for row in table.to_dict("records")]


def _number(value: object, column: str, path: Path) -> float:
    text = str(value).strip()
    if text in UNKNOWN:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        problem = f"the column '{column}' has the value {text!r}"
        raise DatasetError(path, problem, "Labels are numbers; for class names use class_column") from None
