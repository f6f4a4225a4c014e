"""SIIM-ACR Pneumothorax Segmentation (Kaggle challenge, 2019): masks of pneumothorax.

DICOM of 8 bits, 1024 x 1024. The first stage has 10,675 training images with annotations, 2,379 of them with
pneumothorax; the second adds former test images, 12,047 and 2,669 in all. There is no official split of these: patients
are drawn for validation and tests, those with pneumothorax and those without apart. Use under the challenge's rules.

The mask of an image is the union of its lines in the table, drawn once into a folder beside the data; without
pneumothorax it is empty. Runs go down the columns, and each gap counts from the end of the run before it, not from the
first pixel as elsewhere on Kaggle.

Pitfalls: an image has a line for each of its areas, so the table's 3,576 masks are not as many images. The column is
called " EncodedPixels", with a blank, in some copies, and "-1" is no pneumothorax. Images that are in no table (42 of
both stages, and the second stage's test images) are not known to be without and are left out. Images are named by their
SOP instance, which converted copies keep. The images are ChestX-ray14's, whose patients nothing tells.
"""

import os
from collections import defaultdict
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...records import Corpus, Record
from ..registry import reader
from ..support.dicom_header import Header, read_headers
from ..support.drawn_masks import DrawnMasks
from ..support.finish import finish
from ..support.named_images import named_images, stem_of
from ..support.publication import Publication
from ..support.shapes import RunLengths
from ..support.suffixes import stem
from ..support.tables import read_table
from ..support.tree import Tree, require_root

PUBLICATION = Publication(
    name="siim_acr",
    title="SIIM-ACR Pneumothorax Segmentation",
    where="https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation",
    licence="rules of the challenge",
    citation="SIIM-ACR Pneumothorax Segmentation Challenge, Kaggle 2019",
    images=12_047,
    files=("dicom-images-train/*/*/*.dcm and train-rle.csv, or", "stage_2_images/*.dcm and stage_2_train.csv"),
    gives=("1 finding", "its masks", "projection, sex, age, spacing"),
    signs=("train-rle*.csv*", "stage_2_train.csv*", "dicom-images-train/*"),
)
FINDINGS, STRUCTURES = ("Pneumothorax",), ("pneumothorax",)
TABLES = ("stage_2_train.csv", "train-rle.csv", "train-rle-sample.csv")  # the first holds the second's images, too
COLUMNS = ("ImageId", "EncodedPixels")
ABSENT = "-1"
FRAME = (1024, 1024)  # that all runs go over


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    headers: bool = True,
    val_fraction: float = 0.1,
    test_fraction: float = 0.2,
    seed: int = 0,
    masks_dir: str | None = None,
) -> Corpus:
    """Read either stage, or any part of it; also images that were converted or resized.

    Args:
        root: holds the table and the images, in whatever sub-folders.
        headers: read patient, sex, age, projection and spacing of pixels from the DICOM headers, a millisecond for
            each file; without a header an image counts as a patient.
        val_fraction: share of the training patients to validate on, in [0, 1).
        test_fraction: share of the patients to test on, in [0, 1).
        seed: of both draws.
        masks_dir: folder to draw masks into; None takes one in the root.

    Raises:
        DatasetError: no table, a column missing, runs that are none, an image with and without pneumothorax, or no
            image of the table.
    """
    base = require_root(root, f"The images are at {PUBLICATION.where}")
    drawn = DrawnMasks(base, PUBLICATION.name, masks_dir)
    tree = Tree(base, skip=[drawn.folder])
    path = tree.find(TABLES)
    if path is None:
        raise DatasetError(base, f"none of {', '.join(TABLES)} in it", f"Get one from {PUBLICATION.where}")
    runs = _runs(path)
    images = named_images(tree, runs, path.name, f"Unpack the DICOM files there; {PUBLICATION.where}", _name)
    for name, image in images.items():
        drawn.add(image, STRUCTURES[0], RunLengths(runs[name], FRAME))
    masks = drawn.draw()
    facts = read_headers(list(images.values())) if headers else {}
    if unknown := [name for name, image in images.items() if facts.get(image, Header()).patient_id is None]:
        add_notice(f"{len(unknown):,} images have no patient and count as one each ({first_few(unknown)})")
    records = []
    for name, image in images.items():
        known = facts.get(image, Header())
        records.append(
            Record(
                image=str(image),
                patient_id=known.patient_id or name,
                split="train",
                source=PUBLICATION.name,
                labels=(float(bool(runs[name])),),
                masks=masks.get(image, {}),
                view=known.view,
                sex=known.sex,
                age=known.age,
                pixel_spacing=known.pixel_spacing,
            )
        )
    return finish(
        PUBLICATION,
        records,
        findings=FINDINGS,
        structures=STRUCTURES,
        test_fraction=test_fraction,
        val_fraction=val_fraction,
        seed=seed,
        stratify=True,
    )


def _name(path: Path) -> str | None:
    """The SOP instance; converted copies have masks of the same names."""
    return None if "mask" in path.parent.name.lower() else stem_of(path)


def _runs(path: Path) -> dict[str, list[list[int]]]:
    """Return image -> runs of each of its areas, none without pneumothorax.

    Raises:
        DatasetError: as `read`.
    """
    table = read_table(path, COLUMNS)[list(COLUMNS)]
    found: dict[str, list[list[int]]] = defaultdict(list)
    without = set()
    for line, written, text in table.itertuples():
        name = stem(written)
        areas = found[name]
        if text == ABSENT:
            without.add(name)
        else:
            areas.append(_numbers(text, path, f"line {line}: {name}"))
        if areas and name in without:
            problem = f"line {line}: {name} has pneumothorax on one line and {ABSENT} on another"
            raise DatasetError(path, problem, "Get the publisher's file again")
    return dict(found)


def _numbers(text: str, path: Path, where: str) -> list[int]:
    parts = text.split()
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit()]
    pixels = FRAME[0] * FRAME[1]
    if not parts or len(numbers) < len(parts) or len(parts) % 2 or sum(numbers) > pixels:
        start = text if len(text) < 30 else f"{text[:30]}..."
        problem = f"{where}: {start!r} ({len(parts)} parts) are no pairs of gap and length within {pixels:,} pixels"
        raise DatasetError(path, problem, f"Get the publisher's file again; {ABSENT} is no pneumothorax")
    return numbers
