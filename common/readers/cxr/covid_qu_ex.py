"""COVID-QU-Ex (Tahir et al., Computers in Biology and Medicine 2021).

33,920 radiographs, PNG of 256 x 256 pixels: 11,956 of COVID-19, 11,263 of other infections, 10,701 normal, each with a
lung mask; 2,913 of COVID-19 with a mask of the infection, too. The publisher's folders are for training, validation and
testing (about 64, 16 and 20 %). Licence: that of its sources, research use; cite the paper.

Pitfalls: images with masks of the infection lie again in a second tree, whose split is another: one tree is read at a
time. Folder names hold blanks, and both trees nest a folder of their own name. Images come from many collections, and
no patient is told: each image counts as one.
"""

import os
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice
from ...records import Corpus, Record
from ..registry import reader
from ..support.annotations import masks_of
from ..support.copies import first_few_below
from ..support.finish import finish
from ..support.publication import Publication
from ..support.spelling import SPLIT_FOLDERS
from ..support.suffixes import stem
from ..support.told import told_by_folders
from ..support.tree import Tree, require_root

PUBLICATION = Publication(
    name="covid_qu_ex",
    title="COVID-QU-Ex",
    where="https://www.kaggle.com/datasets/anasmohammedtahir/covidqu",
    licence="that of its sources; research use",
    citation="Tahir et al., COVID-19 Infection Localization and Severity Grading from Chest X-ray Images, 2021",
    images=33_920,
    files=("Lung Segmentation Data/{Train,Val,Test}/{COVID-19,Non-COVID,Normal}/{images,lung masks}/*.png",),
    gives=("3 classes", "lung masks", "2,913 masks of infection"),
    signs=("Non-COVID/lung masks/*.png", "Normal/lung masks/*.png", "COVID-19/infection masks/*.png"),
)
CLASSES = ("COVID-19", "Non-COVID", "Normal")
TREES = {"lung": "Lung Segmentation Data", "infection": "Infection Segmentation Data"}
MASKS = {"lung": "lung masks", "infection": "infection masks"}


@reader(PUBLICATION)
def read(root: str | os.PathLike[str], part: str = "lung", val_fraction: float = 0.2, seed: int = 0) -> Corpus:
    """Read one of the two trees. Labels are one-hot.

    Args:
        root: holds both trees or one, or is the inside of one.
        part: "lung" for all images, "infection" for those whose infections have masks.
        val_fraction: share of the training images to validate on where there is no folder for it, in [0, 1).
        seed: of the draw.

    Raises:
        DatasetError: an unknown part, or no image in folders called after a split and a class.
    """
    if part not in TREES:
        raise DatasetError("part", f"the value is {part!r}", f"It must be one of {', '.join(TREES)}")
    base = require_root(root, f"COVID-QU-Ex is at {PUBLICATION.where}")
    both = [path for path in Tree(base).images() if path.parent.name not in MASKS.values()]
    others = set(TREES.values()) - {TREES[part]}
    found = [path for path in both if not others & set(path.relative_to(base).parts)]
    kinds = told_by_folders(found, base, {name: name for name in CLASSES})
    splits = told_by_folders(found, base, SPLIT_FOLDERS)
    images = [path for path in found if kinds[path.parent] and splits[path.parent]]
    if not images:
        problem = f"no image of {TREES[part]} lies in folders like Train/{CLASSES[0]}/images"
        raise DatasetError(base, problem, f"Get it from {PUBLICATION.where}, or set part")
    if len(images) < len(found):
        strangers = first_few_below(base, sorted(set(found) - set(images)))
        add_notice(f"{len(found) - len(images)} images lie in no folder of split and class, left out ({strangers})")
    masks: dict[Path, dict[str, str]] = {}
    for folder in sorted({path.parent for path in images}):
        beside = {name: folder.parent / called for name, called in MASKS.items() if (folder.parent / called).is_dir()}
        masks |= masks_of(beside, [path for path in images if path.parent == folder], (folder,))
    records = [
        Record(
            image=str(path),
            patient_id=f"{kinds[path.parent]}/{stem(path.name)}",
            split=str(splits[path.parent]),
            source=PUBLICATION.name,
            labels=tuple(float(kinds[path.parent] == name) for name in CLASSES),
            masks=masks.get(path, {}),
        )
        for path in images
    ]
    return finish(
        PUBLICATION,
        records,
        findings=CLASSES,
        structures=[name for name in MASKS if any(name in files for files in masks.values())],
        split_by=f"{base}: the folders of splits",
        val_fraction=val_fraction,
        seed=seed,
    )
