"""NIH Shenzhen chest X-rays (Jaeger et al., 2014): tuberculosis or not.

662 frontal radiographs, PNG of about 3000 x 3000 pixels, some in colour: 326 normal and 336 with manifestations of
tuberculosis. The last digit of a file's name is its label. There is no official split; the authors of the papers share
lists of 463 images for training, 65 for validation and 134 for testing, which are read where they lie in the folder,
and otherwise as large shares are drawn. Open data of the National Library of Medicine; use asks for a citation.

Pitfalls: an image counts as a patient. Folders hold `Thumbs.db`. Sex and age stand in one small text per image, in free
form. Lung masks of 566 images come from others (Stirenko et al., Kaggle yoctoman/shcxr-lung-mask), named
CHNCXR_0001_0_mask.png; without one a record has no mask. LeADER used 529 and 133 images that no list tells.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ...files.errors import DatasetError, SharedPatients
from ...files.notices import add_notice, first_few
from ...files.text import read_lines
from ...records import Corpus, Record
from ..registry import reader
from ..support.copies import first_few_below, one_each
from ..support.finish import finish
from ..support.publication import Publication
from ..support.suffixes import stem
from ..support.tree import Tree, require_root
from ._nlm_readings import clinical_readings

PUBLICATION = Publication(
    name="shenzhen",
    title="NIH Shenzhen chest X-rays",
    where="https://data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets/",
    licence="open; cite the paper",
    citation="Jaeger et al., Two public chest X-ray datasets for computer-aided screening of pulmonary diseases, 2014",
    images=662,
    patients=662,
    files=("CXR_png/*.png", "ClinicalReadings/*.txt", "lung masks of others: *_mask.png (optional)"),
    gives=("1 finding", "lung masks of 566 images (others')", "sex and age"),
    signs=("CHNCXR_????_?.png",),
)
FINDINGS = ("Tuberculosis",)
NAME = re.compile(r"CHNCXR_\d{4}_([01])(_mask)?", re.IGNORECASE)
LISTS = {
    split: (f"ShenzenCXR_{word}_data.txt", f"ShenzhenCXR_{word}_data.txt")  # the first is how they are shared
    for split, word in {"train": "train", "val": "valid", "test": "test"}.items()
}


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str], val_fraction: float = 0.125, test_fraction: float = 0.2, seed: int = 0
) -> Corpus:
    """Read the publisher's folder, or any part of it.

    Args:
        root: holds the images, and clinical readings, masks and lists where there are some, in whatever sub-folders.
        val_fraction: share of the training images to validate on where there are no lists, in [0, 1).
        test_fraction: share of the images to test on where there are no lists, in [0, 1).
        seed: of the draws.

    Raises:
        DatasetError: no image named as this data set's, different ones of one name, or a list that contradicts a name.
        SharedPatients: an image in two lists.
    """
    base = require_root(root, f"The images are at {PUBLICATION.where}")
    tree = Tree(base)
    found = tree.images()
    named = {path: NAME.fullmatch(stem(path.name)) for path in found}
    images = one_each([path for path, name in named.items() if name and not name[2]], base, _name, _rank)
    if not images:
        problem = "no image in it is named like CHNCXR_0001_0.png"
        raise DatasetError(base, problem, f"Get the images from {PUBLICATION.where}")
    masks = one_each([path for path, name in named.items() if name and name[2]], base, _name, _rank)
    _say_what_is_left([path for path, name in named.items() if not name], masks, images, base)
    listed = _listed(tree, images)
    people = clinical_readings(tree, images)
    records = []
    for name, path in sorted(images.items()):
        if listed and name not in listed:
            continue
        sex, age = people.get(name, (None, None))
        records.append(
            Record(
                image=str(path),
                patient_id=name.split("_")[1],
                split=listed.get(name, "train"),
                source=PUBLICATION.name,
                labels=(float(name[-1]),),
                masks={"lung": str(masks[name])} if name in masks else {},
                sex=sex,
                age=age,
            )
        )
    if len(records) < len(images):
        add_notice(f"{len(images) - len(records)} images are in none of the lists and left out")
    return finish(
        PUBLICATION,
        records,
        findings=FINDINGS,
        structures=("lung",) if masks else (),
        test_fraction=None if listed else test_fraction,
        val_fraction=None if listed else val_fraction,
        seed=seed,
        stratify=True,
    )


def _name(path: Path) -> str:
    """The image's own name, also of its mask."""
    return stem(path.name).removesuffix("_mask")


def _rank(path: Path) -> tuple[bool, bool]:
    # Later releases have regions of the radiologists' consensus in folders called after annotations.
    return path.parent.name == "CXR_png", "annotation" not in str(path.parent).lower()


def _say_what_is_left(others: list[Path], masks: Mapping[str, Path], images: Mapping[str, Path], base: Path) -> None:
    if others:
        few = first_few_below(base, others)
        add_notice(f"{len(others)} images are not named like CHNCXR_0001_0.png and left out ({few})")
    lost = [path for name, path in masks.items() if name not in images]
    if lost:
        add_notice(f"{len(lost)} masks belong to no image here ({first_few_below(base, lost)})")


def _listed(tree: Tree, images: Mapping[str, Path]) -> dict[str, str]:
    """Image -> split by the shared lists; nothing where one of them is missing."""
    paths = {split: tree.find(names) for split, names in LISTS.items()}
    if None in paths.values():
        lacking = [LISTS[split][0] for split, path in paths.items() if path is None]
        if len(lacking) < len(LISTS):
            add_notice(f"the lists are not used, for {first_few(lacking)} is missing")
        return {}
    listed: dict[str, str] = {}
    for split, path in paths.items():
        for line in read_lines(path) if path else ():
            called, _, label = (part.strip() for part in line.rpartition("/")[2].partition(","))
            name = stem(called)
            if label and label != name[-1:]:
                problem = f"it gives {called} the label {label!r}, and the name says {name[-1:]}"
                raise DatasetError(path or tree.root, problem, "Get the lists again")
            if listed.setdefault(name, split) != split:
                problem = f"{called} is in the lists {listed[name]} and {split}"
                raise SharedPatients(path or tree.root, problem, "Keep it in one of them")
    lost = sorted(set(listed) - set(images))
    if lost:
        add_notice(f"{len(lost)} images of the lists are not here ({first_few(lost)})")
    return listed
