"""VinDr-CXR's tables in both layouts: what each radiologist says of an image, put to the vote, and the boxes."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ...files.errors import DatasetError
from ...records import Box
from ..support.box_files import read_boxes
from ..support.spelling import folded
from ..support.stated_labels import stated_labels
from ..support.tables import read_table, require_column

LOCAL = (
    *("Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Clavicle fracture", "Consolidation"),
    *("Edema", "Emphysema", "Enlarged PA", "ILD", "Infiltration", "Lung Opacity", "Lung cavity", "Lung cyst"),
    *("Mediastinal shift", "Nodule/Mass", "Pleural effusion", "Pleural thickening", "Pneumothorax"),
    *("Pulmonary fibrosis", "Rib fracture", "Other lesion"),
)
GLOBAL = ("COPD", "Lung tumor", "Pneumonia", "Tuberculosis", "Other diseases", "No finding")
KAGGLE = (
    *("Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Consolidation", "ILD", "Infiltration"),
    *("Lung Opacity", "Nodule/Mass", "Other lesion", "Pleural effusion", "Pleural thickening", "Pneumothorax"),
    *("Pulmonary fibrosis", "No finding"),
)
SPELLINGS = {folded(name): name for name in (*LOCAL, *GLOBAL)} | {"other disease": "Other diseases"}
"""The test table says Other disease, the training table Other diseases."""
IMAGE, RATER, FINDING = "image_id", "rad_id", "class_name"
VOTES = {
    "any": lambda yes, asked: yes > 0,
    "majority": lambda yes, asked: 2 * yes > asked,
    "all": lambda yes, asked: yes == asked,
}
"""Whether an image has a finding, by how many of the radiologists who were asked say so."""


def image_labels(path: Path, votes: str | None) -> dict[str, tuple[float, ...]]:
    """Return image -> labels of `LOCAL` and `GLOBAL`, from a table with a line for each radiologist and image.

    Args:
        path: `image_labels_train.csv`, or `image_labels_test.csv` with one line an image, on which they agreed.
        votes: one of `VOTES`; None for the test table. With votes the radiologist's column must be there: without it
            two who say the same are one line, and the vote is another.

    Raises:
        DatasetError: a column missing, no line, or a label that is neither 0 nor 1.
    """
    table = read_table(path, (IMAGE,) if votes is None else (IMAGE, RATER)).rename(
        columns=lambda name: SPELLINGS.get(folded(name), name)
    )
    for finding in (*LOCAL, *GLOBAL):
        require_column(table, finding, path)
    if table.empty:
        raise DatasetError(path, "it has a header and no line", "Get it again")
    table = table.drop_duplicates()
    values = np.array(stated_labels(table, (*LOCAL, *GLOBAL), path))
    if len(bad := np.flatnonzero(~np.isin(values, (0, 1)).all(axis=1))):
        raise DatasetError(path, f"line {table.index[bad[0]]} has a label that is neither 0 nor 1", "Get it again")
    frame = pd.DataFrame(values).groupby(table[IMAGE].to_numpy(), sort=False)
    decided = VOTES[votes or "any"](frame.sum(), frame.count()).astype(float)
    return dict(zip(decided.index, map(tuple, decided.to_numpy().tolist()), strict=True))


def kaggle_labels(path: Path, votes: str) -> dict[str, tuple[float, ...]]:
    """Return image -> labels of `KAGGLE`, from a table with a line for each radiologist's box or `No finding`.

    Args:
        path: `train.csv`.
        votes: one of `VOTES`.

    Raises:
        DatasetError: a column missing, or an unknown finding.
    """
    table = read_table(path, (IMAGE, RATER, FINDING))
    asked: dict[str, set[str]] = defaultdict(set)
    said: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for line, image, rater, text in table[[IMAGE, RATER, FINDING]].itertuples():
        asked[image].add(rater)
        said[image].add((_known(text, KAGGLE, f"line {line}: {image}", path), rater))
    labels = {}
    for image, raters in asked.items():
        yes = Counter(finding for finding, _ in said[image])
        labels[image] = tuple(float(VOTES[votes](yes[finding], len(raters))) for finding in KAGGLE)
    return labels


def boxes_of(
    path: Path,
    images: Sequence[Path],
    base: Path,
    labels: Mapping[Path, tuple[float, ...]],
    findings: Sequence[str],
) -> dict[Path, tuple[Box, ...]]:
    """Return image -> the boxes of the findings that it has by the vote; each radiologist's own.

    Args:
        path: a table with `x_min, y_min, x_max, y_max` in pixels of the DICOM file; blank for `No finding`.
        images: that may have boxes, at least one.
        base: the root.
        labels: of the images.
        findings: that the labels are of.

    Raises:
        DatasetError: another form, an unknown finding, or a box that has no part inside its image.
    """
    file = read_boxes(path, images, (base,))
    names = {
        rectangle.finding: _known(rectangle.finding, (*LOCAL, *GLOBAL), rectangle.where, path)
        for rectangles in file.rectangles.values()
        for rectangle in rectangles
    }
    found = {}
    for image in images:
        has = {finding for finding, value in zip(findings, labels[image], strict=True) if value == 1}
        boxes = (replace(box, finding=names[box.finding]) for box in file.of(image))
        found[image] = tuple(box for box in boxes if box.finding in has)
    file.add_notices()
    return found


def _known(text: str, findings: Sequence[str], where: str, path: Path) -> str:
    name = SPELLINGS.get(folded(text))
    if name is None or name not in findings:
        raise DatasetError(path, f"{where} has the unknown finding {text!r}", f"Known are {', '.join(findings)}")
    return name
