r"""Any folder of images: no publisher, so its layout is told by options.

- nothing but images, in whatever sub-folders: pre-training data;
- class-named folders (`classes`), within train / val / test folders or without;
- a table (`labels_csv`) with a number per finding (`label_columns`) or a class name (`class_column`);
- mask folders (`masks`), whose files are named like the images;
- boxes (`boxes`) or polygons (`polygons`) around findings;
- landmarks (`landmarks_csv`).

`docs/own_data.md` shows each as a tree.

V7's lung masks: `images: images`, `masks: {lung: masks}`, `labels_csv: metadata_with_licence_and_url.csv`,
`image_column: id`, `patient_column: patientid`.
VinDr-CXR: `images: train`, `boxes: annotations/annotations_train.csv`; the boxes of all radiologists are taken.
ChestX-Det: `images: train_data`, `polygons: ChestX_Det_train.json`.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice
from ...records import Corpus
from ..registry import reader
from ..support.annotations import landmarks_of, masks_of
from ..support.box_files import read_boxes, read_polygons
from ..support.boxes import listed
from ..support.copies import first_few_below
from ..support.finish import finish
from ..support.publication import Publication
from ..support.tree import Tree, require_root
from ._layout import Layout
from ._table import read_folder_table

PUBLICATION = Publication(
    name="folder",
    title="a folder of images",
    where="your own files",
    licence="as your source states",
    citation="as your source states",
    files=("images in PNG, JPEG, TIFF, DICOM, NIfTI, MHA or JSRT raw",),
)


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    name: str | None = None,
    images: str = ".",
    classes: Sequence[str] | None = None,
    labels_csv: str | None = None,
    image_column: str = "image",
    label_columns: Sequence[str] | None = None,
    class_column: str | None = None,
    patient_column: str | None = None,
    split_column: str | None = None,
    view_column: str | None = None,
    study_column: str | None = None,
    sex_column: str | None = None,
    age_column: str | None = None,
    spacing_columns: Sequence[str] | None = None,
    masks: Mapping[str, str] | None = None,
    landmarks_csv: str | None = None,
    boxes: str | None = None,
    box_finding: str | None = None,
    polygons: str | None = None,
    listed_only: bool = False,
    patient_pattern: str | None = None,
    split_folders: Mapping[str, str] | None = None,
    val_fraction: float = 0.1,
    test_fraction: float = 0.2,
    seed: int = 0,
    shared_patients: str = "error",
) -> Corpus:
    """Read a folder of images.

    Args:
        root: the folder.
        name: of the corpus; None takes the folder's name.
        images: sub-folder to look for images in, recursively.
        classes: names of class folders, or of the values of `class_column` in the order wanted; labels are
            one-hot in this order.
        labels_csv: table, relative to root.
        image_column: its column of file names, with or without suffix, and with the folders where names repeat.
        label_columns: its columns of numbers from 0 to 1, one per finding; blank and -1 are unknown.
        class_column: its column of class names, one per image.
        patient_column: its column of patients.
        split_column: its column of splits.
        view_column: its column of projections.
        study_column: its column of examinations, where one has several images.
        sex_column: its column of sexes (F, M, female, male).
        age_column: its column of ages, in years unless they name a unit (018M).
        spacing_columns: its two columns of millimetres between pixels, of rows and then of columns.
        masks: structure -> folder of mask files, relative to root; sub-folders as the images' where names repeat.
        landmarks_csv: table `image,landmark,row,col` in fractions, relative to root.
        boxes: boxes in pixels of the original images, relative to root: a table with the columns image (or image_id,
            img_name, file_name), finding (or class_name), and top, left, bottom, right or x_min, y_min, x_max, y_max or
            x, y, width, height; or COCO's JSON.
        box_finding: finding of all of `boxes`, where the table has no such column.
        polygons: ChestX-Det's JSON, relative to root; the box around each polygon is taken.
        listed_only: leave out the images that neither `boxes` nor `polygons` names.
        patient_pattern: regular expression searched in the path relative to root; its first group that
            matched is the patient. Without a match or pattern each image is a patient.
        split_folders: folder name -> split, in upper or lower case; None knows train, training, val, valid,
            validation, test and testing.
        val_fraction: share of the training patients to validate on where nothing gives a validation split.
        test_fraction: share of the patients to test on where nothing gives a test split.
        seed: of the draws.
        shared_patients: what to do with patients in two splits: "error", "drop" or "separate".

    Raises:
        DatasetError: no image, or an option that does not fit the folder, with the remedy.
    """
    base = require_root(root, "The reader 'folder' takes any folder of images.")
    mask_folders = {structure: base / place for structure, place in (masks or {}).items()}
    folder = Path(os.path.normpath(base / images))
    if not folder.is_relative_to(base):
        raise DatasetError(
            "images", f"the folder {images!r} is not below {base}", "Point the root at a folder above it"
        )
    tree = Tree(folder, skip=mask_folders.values())
    found = tree.images()
    if not found:
        there = "no such folder" if not folder.is_dir() else "no image in it"
        remedy = "Check the key that names the folder (dataset_dir, probe_dir ...) and the option images"
        raise DatasetError(folder, there, remedy)
    table = None
    if labels_csv is not None:
        columns = {"label_columns": label_columns, "class_column": class_column, "patient_column": patient_column}
        columns |= {"split_column": split_column, "view_column": view_column, "study_column": study_column}
        columns |= {"sex_column": sex_column, "age_column": age_column, "spacing_columns": spacing_columns}
        table = read_folder_table(base / labels_csv, image_column, columns, classes)
    layout = Layout(base, tree.names, table, classes, patient_pattern, split_folders)
    found = layout.without_copies(found)
    bases = (base, folder)
    annotated = [read_boxes(base / boxes, found, bases, box_finding)] if boxes else []
    annotated += [read_polygons(base / polygons, found, bases)] if polygons else []
    if table:
        table.match_images(found, bases)
    mask_files = masks_of(mask_folders, found, bases)
    places, landmarks = landmarks_of(base / landmarks_csv, found, bases) if landmarks_csv else ({}, ())
    if listed_only:
        found = listed(found, annotated)
    name = name or base.name
    records = [
        replace(
            record,
            masks=mask_files.get(path, {}),
            landmarks=places.get(path, {}),
            boxes=tuple(box for file in annotated for box in file.of(path)),
        )
        for path, record in zip(found, layout.records(found, name), strict=True)
    ]
    for file in annotated:
        file.add_notices()
    bare = [Path(record.image) for record in records if len(record.masks) < len(mask_folders)]
    if bare:
        add_notice(f"{len(bare)} images lack a mask ({first_few_below(base, bare)})")
    return finish(
        PUBLICATION,
        records,
        name=name,
        findings=layout.findings,
        structures=tuple(mask_folders),
        landmarks=landmarks,
        shared_patients=shared_patients,
        split_by=str(base),
        test_fraction=test_fraction,
        val_fraction=val_fraction,
        seed=seed,
    )
