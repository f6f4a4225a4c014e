"""RSNA Pneumonia Detection Challenge 2018 (Shih et al., Radiology: AI 2019).

26,684 frontal radiographs with labels, DICOM of 8 bits, 1024 x 1024, of three classes: 8,851 Normal, 11,821 No Lung
Opacity / Not Normal, 6,012 Lung Opacity, these with 9,555 boxes in the 1024 frame. There is no official split: patients
are drawn for training and test, 80/10/10 as papers do, unless the lists of the released benchmark
(RSNAPneumonia_train.txt, _val, _test) lie in the folder. Use under the challenge's rules; cite the paper.

Pitfalls: both tables have a line for each box, so that an image may be on several; `patientId` is an image's name and
no patient's. The images are ChestX-ray14's: a network trained on those has seen them. Where RSNA's file that tells
which image is which (pneumonia-challenge-dataset-mappings_2018.json) lies in the folder, patients are ChestX-ray14's;
without it each image counts as one. The 3,000 images for the challenge's test have no labels and are left out. Ages
above 120 years are left out. A copy of the classes' table lacks its header.
"""

import os

from ...files.notices import add_notice, first_few
from ...records import Corpus, Record
from ..registry import reader
from ..support.dicom_header import Header, read_headers
from ..support.finish import finish
from ..support.named_images import named_images
from ..support.publication import Publication
from ..support.tree import Tree, require_root
from ._rsna_pneumonia_tables import (
    CLASSES,
    FINDINGS,
    LISTS,
    boxes_of,
    classes_of,
    label_row,
    listed_splits,
    patients_of,
)

PUBLICATION = Publication(
    name="rsna_pneumonia",
    title="RSNA Pneumonia Detection Challenge",
    where="https://www.kaggle.com/c/rsna-pneumonia-detection-challenge",
    licence="rules of the challenge",
    citation="Shih et al., Augmenting the NIH Chest Radiograph Dataset with Expert Annotations, Radiology: AI 2019",
    images=26_684,
    files=("stage_2_train_images/*.dcm", "stage_2_train_labels.csv", "stage_2_detailed_class_info.csv"),
    gives=("3 classes", "9,555 boxes", "projection, sex, age, spacing"),
    signs=("stage_2_train_labels.csv*", "stage_2_detailed_class_info.csv*"),
)


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    headers: bool = True,
    val_fraction: float = 1 / 9,
    test_fraction: float = 0.1,
    seed: int = 0,
    shared_patients: str = "error",
) -> Corpus:
    """Read the publisher's folder, or any part of it; also images that were converted or resized.

    Labels are one-hot. Without the table of classes it is unknown which images without boxes are normal.

    Args:
        root: holds the tables and the images, in whatever sub-folders.
        headers: read sex, age, projection and spacing of pixels from the DICOM headers, a millisecond for each file.
        val_fraction: share of the training patients to validate on, in [0, 1), where no lists are there.
        test_fraction: share of the patients to test on, likewise.
        seed: of both draws.
        shared_patients: what to do with patients in two of the lists: "error", "drop" or "separate".

    Raises:
        DatasetError: no table of boxes, a column missing, no image of it there, an unknown class, a box outside its
            image, or shared patients.
    """
    base = require_root(root, f"The images are at {PUBLICATION.where}")
    tree = Tree(base)
    boxes, path = boxes_of(tree, PUBLICATION.where)
    unpack = f"Unpack stage_2_train_images there; it is at {PUBLICATION.where}"
    images = named_images(tree, boxes, path.name, unpack)
    classes = classes_of(tree)
    unknown = [name for name in images if classes and name not in classes and not boxes[name]]
    if unknown:
        lost = f"{len(unknown):,} images without boxes are not in {CLASSES} ({first_few(unknown)})"
        add_notice(f"{lost}: which of them are normal is not known")
    patients = patients_of(tree)
    listed = listed_splits(tree)
    facts = read_headers(list(images.values())) if headers else {}
    records = []
    for name, image in images.items():
        if listed and name not in listed:
            continue
        known = facts.get(image, Header())
        records.append(
            Record(
                image=str(image),
                patient_id=patients.get(name, name),
                split=listed.get(name, "train"),
                source=PUBLICATION.name,
                labels=label_row(name, boxes[name], classes, path),
                boxes=boxes[name],
                view=known.view,
                sex=known.sex,
                age=known.age,
                pixel_spacing=known.pixel_spacing,
            )
        )
    if len(records) < len(images):
        add_notice(f"{len(images) - len(records):,} images are in none of the lists and left out")
    return finish(
        PUBLICATION,
        records,
        findings=FINDINGS,
        shared_patients=shared_patients,
        split_by=f"{base}: the lists {', '.join(LISTS.values())}",
        test_fraction=None if listed else test_fraction,
        val_fraction=None if listed else val_fraction,
        seed=seed,
    )
