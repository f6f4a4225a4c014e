"""NIH ChestX-ray14 (Wang et al., CVPR 2017).

112,120 frontal radiographs of 30,805 patients, 1024 x 1024 8-bit PNG (some with four channels), 14 findings
mined from reports and therefore noisy. The official lists are disjoint by patient: 86,524 images for training
and validation, 25,596 for testing; 984 boxes on 880 test images, in the 1024 frame, call Infiltration
"Infiltrate". Use is free; acknowledge the NIH Clinical Center and cite the paper.

Pitfalls: two versions of the label table (2017 and v2020) differ slightly; RSNA Pneumonia, NODE21, ChestX-Det
and part of COVIDx re-use these images. Beside the publisher's files, `masks/<structure>/<name>.png` and
`landmarks.csv` (image,landmark,row,col as fractions) are read where they are.
"""

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ...records import Box, Corpus, Record
from ..errors import DatasetError
from .annotations import landmarks_of, masks_of, unmatched_masks
from .publication import Publication
from .splits import hold_out, separate_patients
from .tables import read_lines, read_table, some
from .tree import all_files, find_file, images_of, require_root, stem

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
    files = all_files(base, skip=[mask_root])
    by_name = {path.name: path for path in reversed(files)}
    images = {path.name: path for path in reversed(images_of(files))}
    table, notices = _label_table(base, by_name, images)
    masks = masks_of({path.name: path for path in sorted(mask_root.glob("*/"))})
    places, landmarks = landmarks_of(base / "landmarks.csv")
    boxes, about_boxes = _boxes(by_name, images)
    listed = _listed(by_name)
    records = []
    for name, labels, patient, view in table.itertuples(index=False):
        if listed and name not in listed:
            continue
        records.append(
            Record(
                image=str(images[name]),
                patient_id=str(int(patient)),
                split=listed.get(name, "train"),
                source=PUBLICATION.name,
                labels=_labels(labels, name),
                masks=masks.get(stem(name), {}),
                boxes=tuple(boxes.get(name, ())),
                landmarks=places.get(name, {}),
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
    notices += unmatched_masks(masks, map(stem, images))
    structures = tuple(sorted({structure for files in masks.values() for structure in files}))
    return Corpus(PUBLICATION.name, tuple(records), FINDINGS, structures, landmarks, tuple(notices))


def _label_table(base: Path, by_name: Mapping[str, Path], images: Mapping[str, Path]) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows whose image is there, and notices about the others."""
    path = find_file(by_name, LABEL_TABLES)
    if path is None:
        problem = f"no label table {LABEL_TABLES[0]} (or .csv.gz) in it" if by_name else "the folder is empty"
        raise DatasetError(base, problem, f"Get it from {PUBLICATION.where}")
    table = read_table(path, COLUMNS, index_col=False)[list(COLUMNS)]
    present = table[table["Image Index"].isin(images)]
    if present.empty:
        problem = f"it names {len(table)} images ({some(table['Image Index'])}) and none of them is in {base}"
        raise DatasetError(path, problem, f"Unpack the image archives there; they are at {PUBLICATION.where}")
    notices = []
    if len(present) < len(table):
        lost = table["Image Index"][~table["Image Index"].isin(images)]
        notices.append(f"{len(lost):,} images of {path.name} are not here ({some(lost)})")
    unlabelled = sorted(set(images) - set(table["Image Index"]))
    if unlabelled:
        notices.append(f"{len(unlabelled)} images are not in {path.name} and left out ({some(unlabelled)})")
    return present, notices


def _listed(by_name: Mapping[str, Path]) -> dict[str, str]:
    """Return file name -> "train" or "test" from the publisher's lists; nothing unless both are there."""
    paths = {split: find_file(by_name, names) for split, names in LISTS.items()}
    listed: dict[str, str] = {}
    for split, path in paths.items():
        if path is None:
            return {}
        for name in read_lines(path):
            if listed.setdefault(name, split) != split:
                raise DatasetError(path, f"{name} is in the other list too", "Get the publisher's lists again")
    return listed


def _labels(text: str, name: str) -> tuple[float, ...]:
    stated = set(text.split("|")) - {NO_FINDING}
    unknown = stated - set(FINDINGS)
    if unknown:
        problem = f"{name} has the unknown label {sorted(unknown)[0]!r}"
        raise DatasetError("Finding Labels", problem, f"Known are {', '.join(FINDINGS)} and {NO_FINDING}")
    return tuple(float(finding in stated) for finding in FINDINGS)


def _boxes(by_name: Mapping[str, Path], images: Mapping[str, Path]) -> tuple[dict[str, list[Box]], list[str]]:
    """Read name, finding, x, y, width, height; the header has a comma inside a name, so by position."""
    path = find_file(by_name, ("BBox_List_2017.csv",))
    if path is None:
        return {}, ["BBox_List_2017.csv is missing: no boxes"]
    table = read_table(path, header=None, skiprows=1, usecols=list(range(6)))
    boxes = defaultdict(list)
    for name, finding, *numbers in table.itertuples(index=False):
        try:
            x, y, width, height = (float(number) / BOX_FRAME for number in numbers)
        except ValueError:
            problem = f"{name}: {numbers} are not x, y, width, height"
            raise DatasetError(path, problem, "Get the publisher's file again") from None
        edges = (min(max(edge, 0.0), 1.0) for edge in (y, x, y + height, x + width))
        boxes[name].append(Box(BOX_NAMES.get(finding, finding), *edges))
    lost = sorted(set(boxes) - set(images))
    return boxes, [f"{path.name} names {len(lost)} images that are not here ({some(lost)})"] if lost else []
