"""RSNA Pneumonia's tables: boxes, classes, whose images they are, and the lists of the released benchmark."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice
from ...files.text import read_json, read_lines
from ...records import Box
from ..support.boxes import box_in_frame
from ..support.spelling import canonical
from ..support.suffixes import stem
from ..support.tables import blank, read_rows, read_table
from ..support.tree import Tree

FINDINGS = ("Normal", "No Lung Opacity / Not Normal", "Lung Opacity")
FRAME = 1024.0
BOXES, CLASSES = "stage_2_train_labels.csv", "stage_2_detailed_class_info.csv"
MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"
LISTS = {split: f"RSNAPneumonia_{split}.txt" for split in ("train", "val", "test")}


def boxes_of(tree: Tree, where: str) -> tuple[dict[str, tuple[Box, ...]], Path]:
    """Return image -> its boxes, none where there is no opacity, and the table's file.

    Args:
        tree: files of the data set.
        where: address of the publisher's.

    Raises:
        DatasetError: no table, a column missing, or a line that is no box.
    """
    path = tree.find((BOXES,))
    if path is None:
        raise DatasetError(tree.root, f"no {BOXES} in it", f"Get it from {where}")
    columns = ("patientId", "x", "y", "width", "height", "Target")
    table = read_table(path, columns)[list(columns)]
    found: dict[str, dict[Box, None]] = defaultdict(dict)
    for line, name, *texts, target in table.itertuples():
        place = f"line {line}: {name}"
        if canonical(target) not in ("0", "1") or (canonical(target) == "0") != all(map(blank, texts)):
            problem = f"{place} has the Target {target!r} and the box {texts}"
            raise DatasetError(path, problem, "Target is 1 with a box and 0 without one: get the file again")
        boxes = found[name]
        if canonical(target) == "1":
            boxes[box_in_frame(FINDINGS[2], texts, FRAME, place, path)] = None
    return {name: tuple(boxes) for name, boxes in found.items()}, path


def classes_of(tree: Tree) -> dict[str, str]:
    """Return image -> class; nothing, and a notice, without the table.

    Raises:
        DatasetError: a column missing, an unknown class, or an image of two.
    """
    path = tree.find((CLASSES,))
    if path is None:
        add_notice(f"{CLASSES} is missing: which images without boxes are normal is not known")
        return {}
    columns = ("patientId", "class")
    rows, _ = read_rows(path, columns)
    if rows[0][1][1:2] and rows[0][1][1] in FINDINGS:
        add_notice(f"{path.name} has no header line: its columns are taken for {' and '.join(columns)}")
        lines = [(line, fields[0], fields[1]) for line, fields in rows]
    else:
        table = read_table(path, columns)
        lines = list(zip(table.index, table["patientId"], table["class"], strict=True))
    classes: dict[str, str] = {}
    for line, name, kind in lines:
        if kind not in FINDINGS:
            problem = f"line {line}: {name} has the unknown class {kind!r}"
            raise DatasetError(path, problem, f"Known are {', '.join(FINDINGS)}")
        if classes.setdefault(name, kind) != kind:
            problem = f"line {line}: {name} has another class than on another line"
            raise DatasetError(path, problem, "Get the publisher's file again")
    return classes


def label_row(name: str, boxes: Collection[Box], classes: Mapping[str, str], path: Path) -> tuple[float, ...]:
    """Return one-hot labels; without a class it is known of an image without boxes that it has no opacity.

    Args:
        name: of the image.
        boxes: of it.
        classes: image -> class.
        path: of the table of boxes, for messages.

    Raises:
        DatasetError: an opacity without box, or a box without opacity.
    """
    kind = classes.get(name, FINDINGS[2] if boxes else None)
    if kind is not None and (kind == FINDINGS[2]) != bool(boxes):
        problem = f"{name} has {len(boxes)} boxes, and its class in {CLASSES} is {kind!r}"
        raise DatasetError(path, problem, "Get the publisher's files again")
    if kind is None:
        return (float("nan"), float("nan"), 0.0)
    return tuple(float(kind == finding) for finding in FINDINGS)


def patients_of(tree: Tree) -> dict[str, str]:
    """Return image -> patient of ChestX-ray14; nothing, and a notice, without RSNA's file that tells it.

    Raises:
        DatasetError: a file of another form.
    """
    path = tree.find((MAPPING,))
    if path is None:
        add_notice(f"{MAPPING} is missing: patients are not known, and each image counts as one")
        return {}
    try:
        return {entry["subset_img_id"]: canonical(entry["img_id"].partition("_")[0]) for entry in read_json(path)}
    except (AttributeError, KeyError, TypeError):
        problem = "it is no list of entries with subset_img_id and img_id"
        raise DatasetError(path, problem, "Get RSNA's file again, or take it out of the folder") from None


def listed_splits(tree: Tree) -> dict[str, str]:
    """Return image -> split, where all lists of the released benchmark are there: a name and a class on each line.

    Raises:
        DatasetError: an image in two of them.
    """
    paths = {split: tree.find((name,)) for split, name in LISTS.items()}
    listed: dict[str, str] = {}
    if None in paths.values():
        return listed
    for split, path in paths.items():
        for line in read_lines(path) if path else ():
            name = stem(line.split()[0].rpartition("/")[2])
            if listed.setdefault(name, split) != split:
                raise DatasetError(path or split, f"{name} is in another list too", "Get the lists again")
    return listed
