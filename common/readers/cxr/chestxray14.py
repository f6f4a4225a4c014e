"""NIH ChestX-ray14 (Wang et al., CVPR 2017).

112,120 frontal radiographs of 30,805 patients, 1024 x 1024 8-bit PNG (some with four channels), 14 findings
mined from reports and therefore noisy. The official lists are disjoint by patient: 86,524 images for training
and validation, 25,596 for testing; 984 boxes on 880 test images, in the 1024 frame, call Infiltration
"Infiltrate". Use is free; acknowledge the NIH Clinical Center and cite the paper.

Pitfalls: two versions of the label table (2017 and v2020) differ slightly; RSNA Pneumonia, NODE21, ChestX-Det
and part of COVIDx re-use these images. Beside the publisher's files, `masks/<structure>/<name>.png` and
`landmarks.csv` (image,landmark,row,col as fractions) are read where they are. Of files of one name those in a folder
called images are read.
"""

import math
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...files.text import read_lines
from ...records import Box, Corpus, Record
from ..support.annotations import landmarks_of, masks_of
from ..support.copies import first_few_below, one_each
from ..support.publication import Publication
from ..support.spelling import canonical
from ..support.splits import hold_out, separate_patients
from ..support.suffixes import stem
from ..support.tables import blank, number, read_rows, read_table
from ..support.tree import Tree, require_root

PUBLICATION = Publication(
    name="chestxray14",
    title="NIH ChestX-ray14",
    where="https://nihcc.app.box.com/v/ChestXray-NIHCC (or Kaggle nih-chest-xrays/data)",
    licence="no restrictions; acknowledge the NIH Clinical Center",
    citation="Wang et al., ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks, CVPR 2017",
    images=112_120,
    patients=30_805,
    splits={"train": 86_524, "test": 25_596},
    files=(
        "images/*.png (12 archives)",
        "Data_Entry_2017_v2020.csv",
        "BBox_List_2017.csv",
        "train_val_list.txt",
        "test_list.txt",
    ),
)
# The order of the papers' code and of the literature, not of any table.
FINDINGS = (
    *("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax"),
    *("Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia"),
)
NO_FINDING = "No Finding"
BOX_NAMES = {"Infiltrate": "Infiltration"}
BOX_FRAME = 1024.0
LABEL_TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
LISTS = {
    "train": ("train_val_list.txt", "train_val_list_NIH.txt"),
    "test": ("test_list.txt", "test_list_NIH.txt"),
}
COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "View Position")


def read(
    root: str | os.PathLike[str],
    val_fraction: float = 0.1,
    test_fraction: float = 0.2,
    seed: int = 0,
    shared_patients: str = "error",
) -> Corpus:
    """Read the publisher's folder, or any part of it.

    Args:
        root: holds the label table, the two lists and the images, in whatever sub-folders.
        val_fraction: share of the training list's patients to validate on, in [0, 1).
        test_fraction: share of the patients to test on, used only where the publisher's lists are missing.
        seed: of the draw of patients.
        shared_patients: what to do with patients in both lists: "error", "drop" or "separate".

    Raises:
        DatasetError: no label table, a column missing, no image of the table there, or shared patients.
    """
    base = require_root(root, f"ChestX-ray14 is at {PUBLICATION.where}")
    mask_root = base / "masks"
    tree = Tree(base, skip=[mask_root])
    whole, table_path = _label_table(tree)
    # By stem, for mirrors keep the names and not the format; what the table does not name is nothing of the data set.
    named = set(whole["Image Index"].map(stem))
    found = tree.images()
    strangers = [path for path in found if _stem(path) not in named]
    images = one_each(
        [path for path in found if _stem(path) in named],
        base,
        _stem,
        lambda path: (path.parent.name == "images", path.suffix == ".png"),
    )
    table, notices = _present(whole, table_path, tree, images)
    if strangers:
        notices.append(
            f"{len(strangers)} images are not in {table_path.name} and left out ({first_few_below(base, strangers)})"
        )
    paths = list(images.values())
    masks = masks_of({path.name: path for path in sorted(mask_root.glob("*/"))}, paths, (base,))
    places, landmarks = landmarks_of(base / "landmarks.csv", paths, (base,))
    boxes, about_boxes = _boxes(tree, images)
    listed = _listed(tree)
    records = []
    for name, labels, patient, view in table.itertuples(index=False):
        if listed and stem(name) not in listed:
            continue
        image = images[stem(name)]
        records.append(
            Record(
                image=str(image),
                patient_id=patient,
                split=listed.get(stem(name), "train"),
                source=PUBLICATION.name,
                labels=_labels(labels, name),
                masks=masks.get(image, {}),
                boxes=tuple(boxes.get(stem(name), ())),
                landmarks=places.get(image, {}),
                view=view or None,
            )
        )
    if len(records) < len(table):
        notices.append(f"{len(table) - len(records)} images are in neither list and left out")
    records, about_patients = separate_patients(records, shared_patients, f"{base}: the train and test lists")
    if not listed:
        records = hold_out(records, test_fraction, seed, "test", "test_fraction")
        names = ", ".join(options[0] for options in LISTS.values())
        notices.append(
            f"{names} are missing: {test_fraction:.0%} of the patients drawn as test, not the official split"
        )
    records = hold_out(records, val_fraction, seed, "val", "val_fraction")
    notices = [*PUBLICATION.compare(records), *notices, *about_boxes, *about_patients]
    structures = tuple(sorted({structure for files in masks.values() for structure in files}))
    return Corpus(PUBLICATION.name, tuple(records), FINDINGS, structures, landmarks, tuple(notices))


def _stem(path: Path) -> str:
    return stem(path.name)


def _label_table(tree: Tree) -> tuple[pd.DataFrame, Path]:
    path = tree.find(LABEL_TABLES)
    if path is None:
        problem = f"no label table {LABEL_TABLES[0]} (or .csv.gz) in it" if tree.paths else "the folder is empty"
        raise DatasetError(tree.root, problem, f"Get it from {PUBLICATION.where}")
    return _once(read_table(path, COLUMNS)[list(COLUMNS)], path), path


def _present(table: pd.DataFrame, path: Path, tree: Tree, images: Mapping[str, Path]) -> tuple[pd.DataFrame, list[str]]:
    """The lines of images that are here."""
    here = table["Image Index"].map(stem).isin(set(images))
    present = table[here].copy()
    if present.empty:
        problem = f"it names {len(table)} images ({first_few(table['Image Index'])}) and none of them is in {tree.root}"
        raise DatasetError(path, problem, f"Unpack the image archives there; they are at {PUBLICATION.where}")
    notices = []
    if len(present) < len(table):
        lost = table["Image Index"][~here]
        notices.append(f"{len(lost):,} images of {path.name} are not here ({first_few(lost)})")
    present["Patient ID"] = _patients(present, path)
    return present, notices


def _once(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Leave out lines that repeat another one."""
    again = table.duplicated()
    twice = table["Image Index"][table["Image Index"].duplicated() & ~again]
    if len(twice):
        problem = f"{len(twice)} images have several lines that contradict each other ({first_few(twice)})"
        raise DatasetError(path, problem, "Get the publisher's file again")
    if again.any():
        add_notice(
            f"{path.name} has {again.sum()} lines twice, which count once ({first_few(table['Image Index'][again])})"
        )
    return table[~again]


def _patients(table: pd.DataFrame, path: Path) -> list[str]:
    """The patients' numbers as the publisher writes them; an image without one has its own in its name."""
    blanks = table["Image Index"][table["Patient ID"].map(blank)]
    if len(blanks):
        add_notice(f"{path.name}: {len(blanks)} images have no patient, which their names tell ({first_few(blanks)})")
    pairs = zip(table["Image Index"], table["Patient ID"], strict=True)
    return [canonical(name.partition("_")[0] if blank(text) else text) for name, text in pairs]


def _listed(tree: Tree) -> dict[str, str]:
    """Return stem -> "train" or "test" from the publisher's lists; nothing unless both are there."""
    paths = {split: tree.find(names) for split, names in LISTS.items()}
    listed: dict[str, str] = {}
    for split, path in paths.items():
        if path is None:
            return {}
        for name in read_lines(path):
            # Some mirrors list paths.
            if listed.setdefault(stem(name.rpartition("/")[2]), split) != split:
                raise DatasetError(path, f"{name} is in the other list too", "Get the publisher's lists again")
    return listed


def _labels(text: str, name: str) -> tuple[float, ...]:
    stated = {label.strip() for label in text.split("|")} - {NO_FINDING}
    unknown = stated - set(FINDINGS)
    if unknown:
        problem = f"{name} has the unknown label {sorted(unknown)[0]!r}"
        raise DatasetError("Finding Labels", problem, f"Known are {', '.join(FINDINGS)} and {NO_FINDING}")
    return tuple(float(finding in stated) for finding in FINDINGS)


def _boxes(tree: Tree, images: Mapping[str, Path]) -> tuple[dict[str, list[Box]], list[str]]:
    """Read name, finding, x, y, width, height; the header has a comma inside a name, so by position."""
    path = tree.find(("BBox_List_2017.csv",))
    if path is None:
        return {}, ["BBox_List_2017.csv is missing: no boxes"]
    boxes = defaultdict(list)
    names = {}
    (_, *lines), _ = read_rows(path)
    once = {tuple(fields): line for line, fields in reversed(lines)}
    if len(once) < len(lines):
        add_notice(f"{path.name} has {len(lines) - len(once)} lines twice, which count once")
    for (name, finding, *texts), line in reversed(once.items()):
        try:
            x, y, width, height = (number(text) / BOX_FRAME for text in texts[:4])
        except ValueError:
            x = y = width = height = math.nan
        edges = [min(max(edge, 0.0), 1.0) for edge in (y, x, y + height, x + width)]
        if not (edges[0] < edges[2] and edges[1] < edges[3]):
            problem = f"line {line}: {name}: {texts[:4]} are not x, y, width, height"
            raise DatasetError(path, problem, "Get the publisher's file again")
        names[stem(name)] = name
        boxes[stem(name)].append(Box(BOX_NAMES.get(finding, finding), *edges))
    lost = sorted(names[known] for known in set(boxes) - set(images))
    return boxes, [f"{path.name} names {len(lost)} images that are not here ({first_few(lost)})"] if lost else []
