"""CheXpert's tables, one for each of the publisher's splits."""

import re
from dataclasses import dataclass
from pathlib import Path

from ...files.errors import DatasetError
from ..support.person import ages_of, sex_of
from ..support.repeats import lines_once
from ..support.stated_labels import stated_labels
from ..support.tables import cells, read_table
from ..support.tree import Tree

FINDINGS = (
    *("No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema"),
    *("Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other"),
    *("Fracture", "Support Devices"),
)
TABLES = {
    "train": ("train.csv",),
    "valid": ("valid.csv",),
    "test": ("test_labels.csv", "groundtruth.csv"),
}
SEX, AGE, VIEW, FRONTAL = "Sex", "Age", "AP/PA", "Frontal/Lateral"
IMAGE = re.compile(r"(?:^|/)(patient\d+/study\d+/view\d+_(?:frontal|lateral))\.\w+$")


@dataclass(frozen=True, slots=True)
class Line:
    """What a table says of an image, as the fields of `Record`; open labels are -1 and nan."""

    labels: tuple[float, ...]
    view: str | None
    sex: str | None
    age: float | None


def image_key(path: str) -> str | None:
    """Return the part of a path that names an image in every release, such as patient00001/study1/view1_frontal."""
    found = IMAGE.search(path)
    return found[1] if found else None


def read_official(tree: Tree, split: str) -> dict[str, Line] | None:
    """Return what the table of a split says, by `image_key`; None where there is no table.

    Args:
        tree: files of the data set.
        split: "train", "valid" or "test".

    Raises:
        DatasetError: a column missing, a path or label that is none, or lines that contradict each other.
    """
    path = tree.find(TABLES[split])
    if path is None:
        return None
    table = read_table(path, ("Path", *FINDINGS))
    table["Path"] = [_key_of_line(text, line, path) for line, text in table["Path"].items()]
    table = lines_once(table, "Path", path)
    views = zip(cells(table, VIEW), cells(table, FRONTAL), table["Path"], strict=True)
    lines = zip(
        stated_labels(table, FINDINGS, path),
        (view or ("LATERAL" if "Lateral" in (side, key[-7:].title()) else None) for view, side, key in views),
        map(sex_of, cells(table, SEX)),
        (age or None for age in ages_of(cells(table, AGE), path.name)),  # 0 is missing
        strict=True,
    )
    return {key: Line(*line) for key, line in zip(table["Path"], lines, strict=True)}


def _key_of_line(text: str, line: object, path: Path) -> str:
    key = image_key(text)
    if key is None:
        problem = f"line {line}: {text!r} names no image like patient00001/study1/view1_frontal.jpg"
        raise DatasetError(path, problem, "Get the publisher's file again")
    return key
