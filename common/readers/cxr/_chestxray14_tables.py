"""ChestX-ray14's tables: labels by image, the two lists, and the boxes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...files.text import read_lines
from ...records import Box
from ..support.boxes import box_in_frame
from ..support.repeats import lines_once
from ..support.spelling import canonical
from ..support.suffixes import stem
from ..support.tables import blank, read_rows, read_table
from ..support.tree import Tree
from ._chestxray14_facts import COLUMNS as FACTS

BOX_NAMES = {"Infiltrate": "Infiltration"}
BOX_FRAME = 1024.0
LABEL_TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
LISTS = {
    "train": ("train_val_list.txt", "train_val_list_NIH.txt"),
    "test": ("test_list.txt", "test_list_NIH.txt"),
}
COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "View Position")


def label_table(tree: Tree, where: str) -> tuple[pd.DataFrame, Path]:
    """Return the lines of the label table, each image once, and its file.

    Args:
        tree: files of the data set.
        where: address of the publisher's.

    Raises:
        DatasetError: no table, a column missing, or lines that contradict each other.
    """
    path = tree.find(LABEL_TABLES)
    if path is None:
        problem = f"no label table {LABEL_TABLES[0]} (or .csv.gz) in it" if tree.paths else "the folder is empty"
        raise DatasetError(tree.root, problem, f"Get it from {where}, or read images of your own by --dataset folder")
    table = read_table(path, COLUMNS)
    known = table[[*COLUMNS, *(column for column in FACTS if column in table.columns)]]
    return lines_once(known, "Image Index", path), path


def present_lines(table: pd.DataFrame, path: Path, images: Mapping[str, Path], root: Path, where: str) -> pd.DataFrame:
    """Return the lines of images that are here, with one spelling of each patient.

    Args:
        table: of `label_table`.
        path: of the table.
        images: stem of the name -> file.
        root: of the data set.
        where: address of the publisher's images.

    Raises:
        DatasetError: none is here.
    """
    here = table["Image Index"].map(stem).isin(set(images))
    present = table[here].copy()
    if present.empty:
        problem = f"it names {len(table)} images ({first_few(table['Image Index'])}) and none of them is in {root}"
        raise DatasetError(path, problem, f"Unpack the image archives there; they are at {where}")
    if len(present) < len(table):
        lost = table["Image Index"][~here]
        add_notice(f"{len(lost):,} images of {path.name} are not here ({first_few(lost)})")
    present["Patient ID"] = _patients(present, path)
    return present


def _patients(table: pd.DataFrame, path: Path) -> list[str]:
    """The patients' numbers as the publisher writes them; an image without one has its own in its name."""
    blanks = table["Image Index"][table["Patient ID"].map(blank)]
    if len(blanks):
        add_notice(f"{path.name}: {len(blanks)} images have no patient, which their names tell ({first_few(blanks)})")
    pairs = zip(table["Image Index"], table["Patient ID"], strict=True)
    return [canonical(name.partition("_")[0] if blank(text) else text) for name, text in pairs]


def listed_splits(tree: Tree) -> dict[str, str]:
    """Return stem -> "train" or "test" from the publisher's lists; nothing unless both are there.

    Raises:
        DatasetError: an image in both lists.
    """
    paths = {split: tree.find(names) for split, names in LISTS.items()}
    listed: dict[str, str] = {}
    for split, path in paths.items():
        if path is None:
            add_notice(f"{LISTS[split][0]} is missing: the official split is not known")
            return {}
        for name in read_lines(path):
            # Some mirrors list paths.
            if listed.setdefault(stem(name.rpartition("/")[2]), split) != split:
                raise DatasetError(path, f"{name} is in the other list too", "Get the publisher's lists again")
    return listed


def boxes_of(tree: Tree, images: Mapping[str, Path], findings: Sequence[str]) -> dict[str, list[Box]]:
    """Return stem -> boxes, in fractions of the image.

    Read by position (name, finding, x, y, width, height), for the header has a comma inside a name.

    Args:
        tree: files of the data set.
        images: stem of the name -> file.
        findings: that there may be.

    Raises:
        DatasetError: a line that is no box, or of an unknown finding.
    """
    path = tree.find(("BBox_List_2017.csv",))
    if path is None:
        add_notice("BBox_List_2017.csv is missing: no boxes")
        return {}
    boxes = defaultdict(list)
    names = {}
    (_, *lines), _ = read_rows(path)
    once = {tuple(fields): line for line, fields in reversed(lines)}
    if len(once) < len(lines):
        add_notice(f"{path.name} has {len(lines) - len(once)} lines twice, which count once")
    for (name, text, *texts), line in reversed(once.items()):
        finding = BOX_NAMES.get(text, text)
        if finding not in findings:
            problem = f"line {line}: {name} has a box of the unknown finding {text!r}"
            raise DatasetError(path, problem, f"Known are {', '.join(findings)}")
        box = box_in_frame(finding, texts[:4], BOX_FRAME, f"line {line}: {name}", path)
        names[stem(name)] = name
        boxes[stem(name)].append(box)
    lost = sorted(names[known] for known in set(boxes) - set(images))
    if lost:
        add_notice(f"{path.name} names {len(lost)} images that are not here ({first_few(lost)})")
    return boxes
