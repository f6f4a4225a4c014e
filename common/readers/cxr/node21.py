"""NODE21, nodules on frontal chest radiographs (Sogancioglu et al. 2021).

4,882 frontal radiographs, MHA of 1024 x 1024 pixels: 1,134 with 1,476 nodules in boxes (named n0001 ...) and 3,748
without (c0001 ...); the first version has those with nodules alone. There is no public split: images for training,
validation and tests are drawn. Licence CC BY-NC-ND 4.0.

Pitfalls: the folder is spelled `proccessed_data`; beside it `original_data` holds the images before they were brought
to 1024 pixels, whose frame the boxes are not in. `metadata.csv` has a line for each nodule, its columns in any order,
and one line of zeros for an image without. Intensities are no greys of 8 bits. The images are JSRT's, PadChest's,
ChestX-ray14's and Open-I's, and nothing tells which patient one shows: each counts as one.
"""

import os
from pathlib import Path

import pandas as pd

from ...files.errors import DatasetError
from ...files.notices import add_notice
from ...records import Corpus, Record
from ..registry import reader
from ..support.box_files import read_boxes
from ..support.copies import first_few_below
from ..support.finish import finish
from ..support.publication import Publication
from ..support.repeats import Once
from ..support.spelling import canonical
from ..support.suffixes import stem
from ..support.tables import number, read_table
from ..support.tree import Tree, require_root

PUBLICATION = Publication(
    name="node21",
    title="NODE21",
    where="https://zenodo.org/records/5548363 (first version: 4725881); https://node21.grand-challenge.org",
    licence="CC BY-NC-ND 4.0",
    citation="Sogancioglu et al., NODE21: Nodule Detection and Generation on Chest X-Rays, 2021",
    images=4_882,
    files=("cxr_images/proccessed_data/images/*.mha", "cxr_images/proccessed_data/metadata.csv"),
    gives=("nodule or none", "1,476 boxes"),
    signs=("n[0-9][0-9][0-9][0-9].mha", "c[0-9][0-9][0-9][0-9].mha", "proccessed_data/*"),
)
FINDINGS = ("Nodule",)
COLUMNS = ("img_name", "label", "x", "y", "width", "height")
ORIGINAL = "original_data"


@reader(PUBLICATION)
def read(root: str | os.PathLike[str], val_fraction: float = 0.1, test_fraction: float = 0.2, seed: int = 0) -> Corpus:
    """Read the processed images, the table of nodules, and their boxes.

    Args:
        root: holds `metadata.csv` and the images, in whatever sub-folders.
        val_fraction: share of the training images to validate on, in [0, 1).
        test_fraction: share of the images to test on, in [0, 1).
        seed: of both draws.

    Raises:
        DatasetError: no table, a column missing, a label that is neither 0 nor 1 or that its line's box or another line
            contradicts, a box outside of its image, or none of the images here.
    """
    base = require_root(root, f"NODE21 is at {PUBLICATION.where}")
    tree = Tree(base)
    path = _table(tree)
    table = read_table(path, COLUMNS, COLUMNS[1:])
    images = [image for image in tree.images() if image.is_relative_to(path.parent)]
    boxes = read_boxes(path, images, (base, path.parent, path.parent / "images"), FINDINGS[0])
    labels = _labels(table, path)
    records = [
        Record(
            image=str(image),
            patient_id=stem(image.name),
            split="train",
            source=PUBLICATION.name,
            labels=(labels[stem(image.name)],),
            boxes=boxes.of(image),
        )
        for image in images
        if boxes.lists(image)
    ]
    boxes.add_notices()
    strangers = [image for image in images if not boxes.lists(image)]
    if strangers:
        add_notice(f"{len(strangers)} images are not in {path.name} and left out ({first_few_below(base, strangers)})")
    return finish(
        PUBLICATION, records, findings=FINDINGS, test_fraction=test_fraction, val_fraction=val_fraction, seed=seed
    )


def _table(tree: Tree) -> Path:
    """Return the table of the processed images, in whose frame boxes are."""
    found = [path for path in tree.paths if path.name == "metadata.csv"]
    processed = [path for path in found if ORIGINAL not in path.relative_to(tree.root).parts]
    if not found:
        raise DatasetError(tree.root, "no metadata.csv in it", f"Get it from {PUBLICATION.where}")
    if not processed:
        add_notice(f"images of {ORIGINAL} are read, whose frame boxes may not be in: use proccessed_data")
    return min(processed or found, key=lambda path: len(path.parts))


def _labels(table: pd.DataFrame, path: Path) -> dict[str, float]:
    """Return image -> 1 where it has a nodule; lines of one image must agree, and a nodule has a box."""
    told: Once[float] = Once("label")
    for place, name, label, *box in table[[*COLUMNS]].itertuples():
        boxed = any(number(side) > 0 for side in box[2:])  # `read_boxes` has seen that they are numbers
        if canonical(label) != str(int(boxed)):
            problem = f"line {place}: {name} has the label {label!r} and a box of {' x '.join(box[2:])}"
            raise DatasetError(path, problem, "A nodule has the label 1 and a box; an image without has 0 and zeros")
    once = table.drop_duplicates(["img_name", "label"])[["img_name", "label"]]
    told.read(((place, name, stem(name), float(label)) for place, name, label in once.itertuples()), path)
    return told.of
