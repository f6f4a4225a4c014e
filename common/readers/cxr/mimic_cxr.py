"""MIMIC-CXR-JPG 2.0.0 and 2.1.0 (Johnson et al., 2019).

377,110 radiographs of 65,379 patients in Boston, 8-bit JPEG, in 227,827 studies of one or more images: 368,960 for
training, 2,991 to validate, 5,159 for testing, disjoint by patient. 14 labels of CheXpert's vocabulary, drawn from each
study's report by one of two labellers: 1, 0, -1 (uncertain) or blank (not mentioned). Credentialed access under a data
use agreement; cite the paper and PhysioNet.

Pitfalls: labels are of a study, so that its lateral image has those of the frontal one. The tables' columns are in
alphabetical order, which is not CheXpert's: labels are given here in CheXpert's, and columns found by name. Papers
differ in what they make of uncertain and blank labels; the options `uncertain` and `blank` say it. No Finding is 1 or
blank, never 0: with `blank: ignore` it has no negative. The publisher has inverted and equalised the images already.
Version 2.1.0's labels by a radiologist (687 studies, with other names of findings) are not read; nor are sex and age,
which are in another data set, MIMIC-IV.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ...files.errors import DatasetError
from ...files.notices import add_notice
from ...records import Corpus, Record
from ..registry import reader
from ..support.finish import finish
from ..support.label_policy import LabelPolicy
from ..support.named_images import named_images, stem_of
from ..support.publication import Publication
from ..support.repeats import lines_once
from ..support.spelling import SPLIT_FOLDERS, spelled
from ..support.stated_labels import stated_labels
from ..support.tables import read_table
from ..support.tree import Tree, require_root
from ..support.views import keep_views
from ._chexpert_tables import FINDINGS

PUBLICATION = Publication(
    name="mimic_cxr",
    title="MIMIC-CXR-JPG",
    where="https://physionet.org/content/mimic-cxr-jpg (credentialed)",
    licence="PhysioNet Credentialed Health Data License; data use agreement",
    citation="Johnson et al., MIMIC-CXR-JPG, a large publicly available database of labeled chest radiographs, 2019",
    images=377_110,
    patients=65_379,
    splits={"train": 368_960, "val": 2_991, "test": 5_159},
    files=("files/p1*/p1*/s*/*.jpg", *(f"mimic-cxr-2.0.0-{what}.csv.gz" for what in ("chexpert", "split", "metadata"))),
    gives=("14 findings, some uncertain", "projection"),
    signs=("mimic-cxr-2.*-split.csv*", "mimic-cxr-2.*-chexpert.csv*", "mimic-cxr-2.*-metadata.csv*"),
)
LABELLERS = ("chexpert", "negbio")
VERSIONS = ("2.1.0", "2.0.0")  # the newer release names its tables after the older one, but for one of them
IMAGE, STUDY, PATIENT, VIEW = "dicom_id", "study_id", "subject_id", "ViewPosition"
REMEDY = f"Download it from {PUBLICATION.where}"


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    uncertain: str = "ignore",
    blank: str = "ignore",
    labeller: str = "chexpert",
    views: Sequence[str] | None = None,
    seed: int = 0,
    shared_patients: str = "error",
) -> Corpus:
    """Read the publisher's folder, or any part of it.

    Args:
        root: holds the tables, packed or not, and the images, in whatever sub-folders.
        uncertain: what uncertain labels become: "ignore", "zeros", "ones", "smoothed" or "class"; see `LabelPolicy`.
        blank: what blank labels become: "ignore" or "zeros".
        labeller: whose labels: "chexpert" or "negbio".
        views: projections to keep, such as [PA, AP]; None keeps all. Others are LATERAL and LL.
        seed: of smoothed labels.
        shared_patients: what to do with patients in two splits: "error", "drop" or "separate".

    Raises:
        DatasetError: a table or column missing, no image of the tables there, an unknown option, or shared patients.
    """
    policy = LabelPolicy(uncertain, blank, seed)
    if labeller not in LABELLERS:
        raise DatasetError("labeller", f"the value is {labeller!r}", f"It must be one of {', '.join(LABELLERS)}")
    base = require_root(root, f"MIMIC-CXR-JPG is at {PUBLICATION.where}")
    tree = Tree(base)
    listed, list_path = _table(tree, "split", (IMAGE, STUDY, PATIENT, "split"))
    listed = lines_once(listed, IMAGE, list_path)
    images = named_images(tree, list(listed[IMAGE]), list_path.name, f"{REMEDY}, the folder `files` too")
    here = listed[listed[IMAGE].isin(set(images))]
    labels = _labels(tree, labeller, set(here[STUDY]))
    view_of = _views(tree)
    split_of = {text: _split(text, list_path) for text in set(here["split"])}
    records = [
        Record(
            image=str(images[name]),
            patient_id=patient,
            split=split_of[split],
            source=PUBLICATION.name,
            labels=labels.get(study),
            view=view_of.get(name) or None,
            study_id=study,
        )
        for name, study, patient, split in here[[IMAGE, STUDY, PATIENT, "split"]].itertuples(index=False)
    ]
    corpus = finish(
        PUBLICATION,
        keep_views(records, views),
        findings=FINDINGS,
        shared_patients=shared_patients,
        split_by=str(list_path),
        published=records,
    )
    return policy.apply(corpus, lambda record: stem_of(Path(record.image)))


def _find(tree: Tree, what: str) -> Path | None:
    return tree.find([f"mimic-cxr-{version}-{what}.csv" for version in VERSIONS])


def _table(tree: Tree, what: str, columns: Sequence[str]) -> tuple[pd.DataFrame, Path]:
    path = _find(tree, what)
    if path is None:
        raise DatasetError(tree.root, f"no mimic-cxr-2.0.0-{what}.csv.gz in it", REMEDY)
    return read_table(path, columns), path


def _labels(tree: Tree, labeller: str, studies: set[str]) -> Mapping[str, tuple[float, ...]]:
    """Return study -> open labels."""
    table, path = _table(tree, labeller, (STUDY, *FINDINGS))
    table = lines_once(table[table[STUDY].isin(studies)], STUDY, path)
    return dict(zip(table[STUDY], stated_labels(table, FINDINGS, path), strict=True))


def _views(tree: Tree) -> dict[str, str]:
    """Return image -> projection; nothing, and a notice, without the table."""
    path = _find(tree, "metadata")
    if path is None:
        add_notice("mimic-cxr-2.0.0-metadata.csv.gz is missing: projections are not known")
        return {}
    table = read_table(path, (IMAGE, VIEW))
    return dict(zip(table[IMAGE], table[VIEW], strict=True))


def _split(text: str, path: Path) -> str:
    split = spelled(SPLIT_FOLDERS | {"validate": "val"}, text)
    if split is None:
        raise DatasetError(path, f"it has the split {text!r}", "Known are train, validate and test; get the file again")
    return split
