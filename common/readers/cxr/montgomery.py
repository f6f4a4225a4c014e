"""NIH Montgomery County chest X-rays (Jaeger et al., 2014), with masks of both lungs; SRHRS calls it NIH-Mon.

138 posteroanterior radiographs, PNG of 8 bits and 4020 x 4892 or 4892 x 4020 pixels of 0.0875 mm: 80 normal and 58 with
manifestations of tuberculosis, told by the last digit of a file's name. There is no official split: patients for
training, validation and tests are drawn 6:2:2, as SRHRS does. Open data of the National Library of Medicine; use asks
for a citation.

Structures are `lung_left` and `lung_right` as published, and `lung`, which joins them. Heart and clavicles, which SRHRS
segments too, are not in the release: folders called heart, clavicle, clavicle_left or clavicle_right are read where
they are added, with files named like the images.

Pitfalls: `leftMask` is the patient's left lung, which lies in the right half of the image. Masks have one bit, and the
names of their images. Mask folders hold `Thumbs.db`. Some patients are there twice, of whom 0113 and 0117 are known
and count as one. Kaggle's "chest-xray-masks-and-labels" mixes the images with those of Shenzhen.
"""

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...files.errors import DatasetError, UnreadableImage
from ...files.notices import add_notice
from ...images.decode import image_size, read_mask
from ...records import Corpus, Record
from ..registry import reader
from ..support.copies import first_few_below, one_each
from ..support.drawn_masks import DrawnMasks
from ..support.finish import finish
from ..support.publication import Defect, Publication
from ..support.shapes import MaskFiles
from ..support.spelling import spelled
from ..support.suffixes import is_image, stem
from ..support.tree import Tree, require_root
from ._nlm_readings import clinical_readings

NAME = re.compile(r"MCUCXR_(\d{4})_([01])(?:_mask)?", re.IGNORECASE)
FOLDERS = {
    **{"leftMask": "lung_left", "rightMask": "lung_right", "heart": "heart", "clavicle": "clavicle"},
    **{"clavicles": "clavicle", "clavicle_left": "clavicle_left", "clavicle_right": "clavicle_right"},
}
JOINED = {"lung": ("lung_left", "lung_right"), "clavicle": ("clavicle_left", "clavicle_right")}
SAME_PATIENT = {"0117": "0113"}
LONG_SIDE, SHORT_SIDE, SPACING = 4892, 4020, 0.0875  # pixels, and millimetres between them


def exchanged_lungs(tree: Tree) -> list[Path]:
    """Return the masks in leftMask and rightMask whose lung lies in the half of the image where the other one is."""
    wrong = []
    for path in tree.paths:
        structure = spelled(FOLDERS, path.parent.name) or ""
        if structure.startswith("lung") and is_image(path):
            try:
                mask = read_mask(path) == 1
            except UnreadableImage:  # whoever reads the mask says so
                continue
            if mask.any() and (np.nonzero(mask)[1].mean() > mask.shape[1] / 2) != (structure == "lung_left"):
                wrong.append(path)
    return wrong


PUBLICATION = Publication(
    name="montgomery",
    title="NIH Montgomery County chest X-rays",
    where="https://data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets/",
    licence="open; cite the paper",
    citation="Jaeger et al., Two public chest X-ray datasets for computer-aided screening of pulmonary diseases, 2014",
    images=138,
    files=("CXR_png/*.png", "ManualMask/{leftMask,rightMask}/*.png", "ClinicalReadings/*.txt"),
    gives=("1 finding", "masks of left and right lung", "sex and age"),
    signs=("MCUCXR_????_?.png",),
    defects=(
        Defect("left and right lung exchanged", exchanged_lungs, "Exchange the names of the mask folders", opens=True),
    ),
)
FINDINGS = ("Tuberculosis",)


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    val_fraction: float = 0.25,
    test_fraction: float = 0.2,
    seed: int = 0,
    masks_dir: str | None = None,
) -> Corpus:
    """Read the publisher's folder, or any part of it.

    Args:
        root: holds the images, mask folders and clinical readings, in whatever sub-folders.
        val_fraction: share of the training patients to validate on, in [0, 1).
        test_fraction: share of the patients to test on, in [0, 1).
        seed: of the draws.
        masks_dir: folder to draw joined masks into; None takes one in the root.

    Raises:
        DatasetError: no image named as this data set's, or different ones of one name.
    """
    base = require_root(root, f"The images are at {PUBLICATION.where}")
    drawn = DrawnMasks(base, PUBLICATION.name, masks_dir)
    tree = Tree(base, skip=[drawn.folder])
    kept = tree.images()
    masks, in_mask_folders = _masks(tree, base)
    images = one_each(
        [path for path in kept if path not in in_mask_folders and NAME.fullmatch(stem(path.name))],
        base,
        _name,
        lambda path: path.parent.name == "CXR_png",
    )
    if not images:
        problem = "no image in it is named like MCUCXR_0001_0.png, outside of mask folders"
        raise DatasetError(base, problem, f"Get the images from {PUBLICATION.where}")
    _say_what_is_left(kept, in_mask_folders, masks, images, base)
    joined = _join(drawn, masks, images)
    people = clinical_readings(tree, images)
    records = []
    for name, path in sorted(images.items()):
        sex, age = people.get(name, (None, None))
        number, label = NAME.fullmatch(name).groups()  # type: ignore[union-attr]  # images are named so
        records.append(
            Record(
                image=str(path),
                patient_id=SAME_PATIENT.get(number, number),
                split="train",
                source=PUBLICATION.name,
                labels=(float(label),),
                masks={structure: str(file) for structure, file in masks.get(name, {}).items()} | joined.get(path, {}),
                view="PA",
                sex=sex,
                age=age,
                pixel_spacing=_spacing(path),
            )
        )
    return finish(
        PUBLICATION,
        records,
        findings=FINDINGS,
        structures=sorted({structure for record in records for structure in record.masks}),
        test_fraction=test_fraction,
        val_fraction=val_fraction,
        seed=seed,
    )


def _name(path: Path) -> str:
    return stem(path.name).removesuffix("_mask")


def _masks(tree: Tree, base: Path) -> tuple[dict[str, dict[str, Path]], set[Path]]:
    """Image -> structure -> file, and all files in mask folders."""
    by_structure = defaultdict(list)
    for path in tree.paths:
        structure = spelled(FOLDERS, path.parent.name)
        if structure and is_image(path):
            by_structure[structure].append(path)
    masks: dict[str, dict[str, Path]] = defaultdict(dict)
    for structure, paths in by_structure.items():
        named = [path for path in paths if NAME.fullmatch(stem(path.name))]
        for name, path in one_each(named, base, _name, lambda path: path.parent.parent.name == "ManualMask").items():
            masks[name][structure] = path
    return masks, {path for paths in by_structure.values() for path in paths}


def _join(
    drawn: DrawnMasks, masks: Mapping[str, Mapping[str, Path]], images: Mapping[str, Path]
) -> dict[Path, dict[str, str]]:
    """Draw the masks that two sides make, where both are there."""
    for name, image in images.items():
        own = masks.get(name, {})
        for whole, sides in JOINED.items():
            if whole not in own and set(sides) <= set(own):
                drawn.add(image, whole, MaskFiles([own[side] for side in sides]))
    return drawn.draw()


def _say_what_is_left(
    found: list[Path], in_folders: set[Path], masks: Mapping[str, object], images: Mapping[str, Path], base: Path
) -> None:
    others = [path for path in found if path not in in_folders and not NAME.fullmatch(stem(path.name))]
    if others:
        few = first_few_below(base, others)
        add_notice(f"{len(others)} images are not named like MCUCXR_0001_0.png and left out ({few})")
    lost = [path for path in sorted(in_folders) if _name(path) not in images]
    if lost:
        add_notice(f"{len(lost)} masks belong to no image here ({first_few_below(base, lost)})")
    bare = [path for name, path in images.items() if name not in masks]
    if bare:
        add_notice(f"{len(bare)} images have no mask ({first_few_below(base, bare)})")


def _spacing(path: Path) -> tuple[float, float] | None:
    """Of the published size, or of a smaller copy of its shape; None of others, and where the file cannot be read."""
    try:
        size = image_size(path)
    except UnreadableImage:
        return None
    if abs(min(size) - max(size) * SHORT_SIDE / LONG_SIDE) > 1:  # cut, or resized to a square
        return None
    return (SPACING * LONG_SIDE / max(size),) * 2
