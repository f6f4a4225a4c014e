"""RAD-ChestCT (Draelos et al., Medical Image Analysis 2021).

3,630 of 36,316 non-contrast chest CT volumes are public: .npz, clipped to [-1000, 1000] HU, 0.8 mm isotropic. 84
abnormalities at 52 locations from the reports by rules; the literature compares 16 classes with CT-RATE's. The names
of the files give the split: 2,646 for training, of which 360 are named val (2,286 trn), and 984 for testing (tst).
Access on request.

Pitfalls: the first axis runs from head to feet. A column is `abnormality*location`, and an image has an abnormality
where any location has it; tokens must match as a whole, since `nodule` begins `nodulegr1cm`. Calcification stands for
two of CT-RATE's findings. Patients are in a metadata table (MRN_DEID) that may not be there.
"""

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...records import Corpus, Record
from ..registry import reader
from ..support.copies import one_each
from ..support.finish import finish
from ..support.label_maps import LabelMaps, inside
from ..support.publication import Publication
from ..support.repeats import Once
from ..support.spelling import one_spelling
from ..support.suffixes import stem
from ..support.tables import blank, number, read_table
from ..support.tree import Tree, require_root

PUBLICATION = Publication(
    name="rad_chestct",
    title="RAD-ChestCT",
    where="https://zenodo.org/records/6406114 (on request)",
    licence="research use on request",
    citation="Draelos et al., Machine-learning-based multiple abnormality prediction with large-scale chest CT, 2021",
    images=3_630,
    splits={"train": 2_646, "test": 984},
    files=(
        "trn*.npz, val*.npz and tst*.npz",
        "img{train,valid,test}_Abnormality_and_Location_Labels.csv",
        "CT_Scan_Metadata_Complete_35747.csv (optional: patients)",
    ),
    volumes=True,
    gives=("16 findings of 84",),
    signs=("img*_Abnormality_and_Location_Labels.csv*", "CT_Scan_Metadata_Complete_35747.csv*"),
)
# Publisher's token -> CT-RATE's name of the same finding, in the order of the papers' tables.
CLASSES = {
    "catheter_or_port": "Medical material",
    "calcification": "Calcification",
    "cardiomegaly": "Cardiomegaly",
    "pericardial_effusion": "Pericardial effusion",
    "hernia": "Hiatal hernia",
    "lymphadenopathy": "Lymphadenopathy",
    "emphysema": "Emphysema",
    "atelectasis": "Atelectasis",
    "nodule": "Lung nodule",
    "opacity": "Lung opacity",
    "scarring": "Pulmonary fibrotic sequela",
    "pleural_effusion": "Pleural effusion",
    "bronchial_wall_thickening": "Peribronchial thickening",
    "consolidation": "Consolidation",
    "bronchiectasis": "Bronchiectasis",
    "septal_thickening": "Interlobular septal thickening",
}
FINDINGS = tuple(CLASSES.values())
NAME = re.compile(r"(trn|val|tst)\d+")
SPLIT = {"trn": "train", "val": "val", "tst": "test"}
LABEL_TABLES = tuple(f"img{part}_Abnormality_and_Location_Labels.csv" for part in ("train", "valid", "test"))
METADATA = ("CT_Scan_Metadata_Complete_35747.csv",)
VOLUME, PATIENT = "NoteAcc_DEID", "MRN_DEID"


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    val_fraction: float | None = None,
    masks: str | None = None,
    seed: int = 0,
    shared_patients: str = "error",
) -> Corpus:
    """Read the publisher's folder, or any part of it.

    Args:
        root: holds the volumes and tables, in whatever sub-folders.
        val_fraction: None validates on the publisher's val volumes; a number in [0, 1) takes trn and val together
            for training, as the papers do, and draws that share of their patients.
        masks: folder of label maps named like the volumes, relative to root.
        seed: of the draw.
        shared_patients: what to do with patients in two splits: "error", "drop" or "separate".

    Raises:
        DatasetError: no volume, no label table, a column or class missing, or shared patients.
    """
    base = require_root(root, f"RAD-ChestCT is at {PUBLICATION.where}")
    tree = Tree(base, skip=[inside(base, masks)])
    named = [path for path in tree.volumes() if path.suffix == ".npz" and NAME.fullmatch(stem(path.name))]
    volumes = one_each(named, base, lambda path: stem(path.name), lambda path: 0)
    if not volumes:
        problem = "no volume in it is named like trn00001.npz"
        raise DatasetError(base, problem, f"Unpack the archives there; they are at {PUBLICATION.where}")
    labels = _labels(tree)
    patients = _patients(tree, volumes)
    maps = LabelMaps(inside(base, masks), base, list(volumes.values()))
    splits = SPLIT if val_fraction is None else SPLIT | {"val": "train"}
    records = [
        Record(
            image=str(path),
            patient_id=patients.get(name, name),
            split=splits[name[:3]],
            source=PUBLICATION.name,
            labels=labels.get(name),
            label_map=maps.find(path),
        )
        for name, path in sorted(volumes.items())
    ]
    maps.add_notices()
    return finish(
        PUBLICATION,
        records,
        findings=FINDINGS,
        shared_patients=shared_patients,
        split_by=f"{base}: trn, val and tst",
        val_fraction=val_fraction,
        seed=seed,
    )


def _labels(tree: Tree) -> dict[str, tuple[float, ...]]:
    """Return volume -> labels, an abnormality being there where any location has it."""
    labels: Once[tuple[float, ...]] = Once()
    for table in LABEL_TABLES:
        path = tree.find((table,))
        if path is None:
            add_notice(f"{table} is missing")
            continue
        lines = read_table(path, (VOLUME,))
        columns = defaultdict(list)
        for column in lines.columns:
            columns[column.split("*")[0].strip()].append(column)
        lacking = [token for token in CLASSES if token not in columns]
        if lacking:
            problem = f"no column '{lacking[0]}*...' (it has {len(lines.columns):,} columns)"
            raise DatasetError(path, problem, "Get the publisher's file again")
        values = np.stack([_any(lines[columns[token]], token, path) for token in CLASSES], axis=1)
        rows = zip(lines.index, lines[VOLUME], map(tuple, values.tolist()), strict=True)
        labels.read(((line, name, stem(name), row) for line, name, row in rows), path)
    if not labels.of:
        raise DatasetError(tree.root, f"no label table in it ({', '.join(LABEL_TABLES)})", "Download the tables")
    return labels.of


def _any(texts: pd.DataFrame, token: str, path: Path) -> np.ndarray:
    """Whether a location has the abnormality; blanks, which the publisher does not write, are refused too."""
    values: dict[str, float] = {}
    for text in pd.unique(texts.to_numpy().ravel()):
        try:
            values[text] = number(text)
        except ValueError:
            values[text] = np.nan
        if values[text] not in (0, 1):
            line, column = next((line, c) for c in texts for line in texts.index[texts[c] == text])
            problem = f"line {line}: the column '{column}' has the value {text!r}"
            raise DatasetError(path, problem, "Labels are 0 or 1: get the file again")
    positive = [text for text, value in values.items() if value]
    return texts.isin(positive).to_numpy().any(axis=1).astype(float)


def _patients(tree: Tree, volumes: Mapping[str, Path]) -> dict[str, str]:
    """Return volume -> patient; those without one count as patients of their own, which is said."""
    path = tree.find(METADATA)
    if path is None:
        add_notice(f"{METADATA[0]} is missing: each volume counts as a patient")
        return {}
    table = read_table(path, (VOLUME, PATIENT))
    stated = [(stem(name), text) for name, text in zip(table[VOLUME], table[PATIENT], strict=True) if not blank(text)]
    spelling = one_spelling([text for _, text in stated], "patients")
    patients: dict[str, str] = {}
    for name, text in stated:
        if patients.setdefault(name, spelling[text]) != spelling[text]:
            problem = f"{name} has two patients, {patients[name]} and {text}"
            raise DatasetError(path, problem, "Get the publisher's file again")
    if lone := sorted(volumes.keys() - patients.keys()):
        what = f"volumes have no patient in {path.name} and count as patients of their own"
        add_notice(f"{len(lone):,} {what} ({first_few(lone)})")
    return patients
