"""ChestX-Det10 (Liu et al., 2020): boxes around 10 findings on images of ChestX-ray14; the forerunner of ChestX-Det.

3,543 radiographs of 1024 x 1024 pixels. The official split is 3,001 images for training, of which validation images are
drawn, and 542 for testing. Use for research, as of ChestX-ray14; cite the paper.

Pitfalls: it has boxes and no polygons. Its findings are those of ChestX-Det without Cardiomegaly, Diffuse Nodule and
Pleural Thickening, and its images are among ChestX-Det's, by the same numbers and on the same side of the split. The
tables have the names of many (`train.json`, `test.json`). Images are numbered anew: each counts as a patient.
"""

import os

from ...records import Corpus
from ..registry import reader
from ..support.finish import finish
from ..support.publication import Publication
from ..support.tree import Tree, require_root
from ._chestx_det_files import find_entries, find_images, make_records

PUBLICATION = Publication(
    name="chestx_det10",
    title="ChestX-Det10",
    where="https://github.com/Deepwise-AILab/ChestX-Det10-Dataset (images at resource.deepwise.com/xraychallenge)",
    licence="research; cite the paper",
    citation="Liu et al., ChestX-Det10: Chest X-ray Dataset on Detection of Thoracic Abnormalities, 2020",
    images=3_543,
    splits={"train": 3_001, "test": 542},
    files=("train_data/*.png", "test_data/*.png", "train.json", "test.json"),
    gives=("10 findings", "boxes of each"),
    signs=("ChestX-Det10*/train.json",),
)
FINDINGS = (
    *("Atelectasis", "Calcification", "Consolidation", "Effusion", "Emphysema"),
    *("Fibrosis", "Fracture", "Mass", "Nodule", "Pneumothorax"),
)
TABLES = {"train": "train.json", "test": "test.json"}


@reader(PUBLICATION)
def read(root: str | os.PathLike[str], val_fraction: float = 0.1, seed: int = 0) -> Corpus:
    """Read the publisher's folder, or any part of it.

    Args:
        root: holds the two JSON files and the images, in whatever sub-folders.
        val_fraction: share of the training images to validate on, in [0, 1).
        seed: of the draw.

    Raises:
        DatasetError: no JSON, one of another form or with an unknown finding, no image of it, or a box outside its
            image.
        SharedPatients: an image in both splits.
    """
    base = require_root(root, f"ChestX-Det10 is at {PUBLICATION.where}")
    tree = Tree(base)
    entries = find_entries(tree, TABLES, FINDINGS, False, PUBLICATION.where)
    images = find_images(tree, entries, PUBLICATION.where)
    return finish(
        PUBLICATION,
        make_records(PUBLICATION.name, images, entries, FINDINGS, {}),
        findings=FINDINGS,
        val_fraction=val_fraction,
        seed=seed,
    )
