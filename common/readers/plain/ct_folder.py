r"""Any folder of CT volumes: NIfTI, MHA, NRRD, or DICOM with one series per folder.

Its layout is told by options as for `folder`: split folders (train, val, test), a table (`labels_csv`) with a number
per finding (`label_columns`) or a class name (`class_column`), a pattern of the patient, and a folder of label maps
(`masks`) named like the volumes. A DICOM series goes by the name of its folder.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...files.errors import DatasetError
from ...records import Corpus
from ..registry import reader
from ..support.finish import finish
from ..support.label_maps import LabelMaps, inside
from ..support.publication import Publication
from ..support.tree import Tree, require_root
from ._layout import Layout
from ._table import read_folder_table

PUBLICATION = Publication(
    name="ct_folder",
    title="a folder of CT volumes",
    where="your own files",
    licence="as your source states",
    citation="as your source states",
    files=("volumes in NIfTI, MHA, NRRD, or DICOM with one series per folder",),
    volumes=True,
)


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    name: str | None = None,
    labels_csv: str | None = None,
    image_column: str = "image",
    label_columns: Sequence[str] | None = None,
    class_column: str | None = None,
    classes: Sequence[str] | None = None,
    patient_column: str | None = None,
    split_column: str | None = None,
    masks: str | None = None,
    patient_pattern: str | None = None,
    split_folders: Mapping[str, str] | None = None,
    val_fraction: float = 0.1,
    test_fraction: float = 0.2,
    seed: int = 0,
    shared_patients: str = "error",
) -> Corpus:
    """Read a folder of CT volumes.

    Args:
        root: the folder.
        name: of the corpus; None takes the folder's name.
        labels_csv: table, relative to root.
        image_column: its column of file or series-folder names (with or without folder and suffix).
        label_columns: its columns of numbers from 0 to 1, one per finding; blank and -1 are unknown.
        class_column: its column of class names, one per volume; labels are one-hot.
        classes: order of the values of `class_column`; None sorts them.
        patient_column: its column of patients.
        split_column: its column of splits.
        masks: folder of label maps named like the volumes, relative to root.
        patient_pattern: as in `folder`.
        split_folders: folder name -> split; None knows those of `folder`.
        val_fraction: share of the training patients to validate on where nothing gives a validation split.
        test_fraction: share of the patients to test on where nothing gives a test split.
        seed: of the draws.
        shared_patients: what to do with patients in two splits: "error", "drop" or "separate".

    Raises:
        DatasetError: no volume, or an option that does not fit the folder, with the remedy.
    """
    base = require_root(root, "The reader 'ct_folder' takes any folder of CT volumes.")
    if classes and not class_column:
        raise DatasetError("classes", "it is given without class_column", "Name the column of labels_csv that has them")
    tree = Tree(base, skip=[inside(base, masks)])
    found = tree.volumes()
    if not found:
        remedy = "Check the key that names the folder; a DICOM series lies in a folder of its own"
        raise DatasetError(base, "no volume in it", remedy)
    table = None
    if labels_csv is not None:
        columns = {"label_columns": label_columns, "class_column": class_column, "patient_column": patient_column}
        columns |= {"split_column": split_column}
        table = read_folder_table(base / labels_csv, image_column, columns, classes)
        table.match_images(found, (base,))
    maps = LabelMaps(inside(base, masks), base, found)
    layout = Layout(base, tree.names, table, None, patient_pattern, split_folders)
    name = name or base.name
    records = layout.records(found, name)
    records = [replace(record, label_map=maps.find(path)) for path, record in zip(found, records, strict=True)]
    maps.add_notices()
    return finish(
        PUBLICATION,
        records,
        name=name,
        findings=layout.findings,
        shared_patients=shared_patients,
        split_by=str(base),
        test_fraction=test_fraction,
        val_fraction=val_fraction,
        seed=seed,
    )
