"""COVID-19 Radiography Database (Chowdhury et al. 2020; Rahman et al. 2021), which SRHRS calls COVQU.

21,165 radiographs, PNG of 299 x 299 pixels: 3,616 of COVID-19, 6,012 of other lung opacities, 10,192 normal, 1,345 of
viral pneumonia, each with a lung mask that a network drew. There is no official split: images for training, validation
and tests are drawn. Licence: that of its sources, research use; cite both papers.

Pitfalls: masks are RGB of 256 x 256 pixels and are brought to their images' size. Some images have three channels.
Older versions lie flat, as `COVID/COVID (1).png`, and have no masks. Tables (`*.metadata.xlsx`) hold addresses alone,
under names in capitals that do not match. Images come from PadChest, RSNA and Kermany, and no patient is told: each
image counts as one. SRHRS may mean COVID-QU-Ex by this name, which `covid_qu_ex` reads.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice
from ...records import Corpus, Record
from ..registry import reader
from ..support.annotations import masks_of
from ..support.copies import first_few_below
from ..support.finish import finish
from ..support.publication import Publication
from ..support.suffixes import stem
from ..support.told import told_by_folders
from ..support.tree import Tree, require_root

PUBLICATION = Publication(
    name="covid_radiography",
    title="COVID-19 Radiography Database",
    where="https://www.kaggle.com/datasets/tawsifurrahman/covid19-radiography-database",
    licence="that of its sources; research use",
    citation="Chowdhury et al., Can AI Help in Screening Viral and COVID-19 Pneumonia?, 2020; Rahman et al., 2021",
    images=21_165,
    files=("{COVID,Lung_Opacity,Normal,Viral Pneumonia}/{images,masks}/*.png",),
    gives=("4 classes", "lung masks"),
    signs=("COVID/images/COVID-*.png", "Viral Pneumonia/images/*.png", "COVID/COVID (*).png", "COVID.metadata.xlsx"),
)
CLASSES = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")
MASKS = "masks"


@reader(PUBLICATION)
def read(root: str | os.PathLike[str], val_fraction: float = 0.25, test_fraction: float = 0.2, seed: int = 0) -> Corpus:
    """Read the publisher's folder, or any part of it. Labels are one-hot.

    Args:
        root: holds the folders of the classes.
        val_fraction: share of the images that are not tested on to validate on, in [0, 1); 6:2:2 in all by default.
        test_fraction: share of the images to test on, in [0, 1).
        seed: of both draws.

    Raises:
        DatasetError: no image in a folder called after a class, or a mask that may belong to several images.
    """
    base = require_root(root, f"The database is at {PUBLICATION.where}")
    tree = Tree(base)
    found = [path for path in tree.images() if path.parent.name != MASKS]
    kinds = told_by_folders(found, base, {name: name for name in CLASSES} | {"Lung Opacity": "Lung_Opacity"})
    images = [path for path in found if kinds[path.parent]]
    if not images:
        problem = f"no image lies in a folder called {', '.join(CLASSES)}"
        raise DatasetError(base, problem, f"Get the database from {PUBLICATION.where}")
    if len(images) < len(found):
        strangers = first_few_below(base, [path for path in found if not kinds[path.parent]])
        add_notice(f"{len(found) - len(images)} images lie in no folder of a class and are left out ({strangers})")
    masks = _masks(images)
    records = [
        Record(
            image=str(path),
            patient_id=stem(path.name),
            split="train",
            source=PUBLICATION.name,
            labels=tuple(float(kinds[path.parent] == name) for name in CLASSES),
            masks=masks.get(path, {}),
        )
        for path in images
    ]
    bare = [path for path in images if path not in masks]
    if bare:
        add_notice(f"{len(bare):,} images have no mask ({first_few_below(base, bare)})")
    return finish(
        PUBLICATION,
        records,
        findings=CLASSES,
        structures=("lung",) if masks else (),
        test_fraction=test_fraction,
        val_fraction=val_fraction,
        seed=seed,
    )


def _masks(images: Sequence[Path]) -> dict[Path, dict[str, str]]:
    """Return image -> its mask, in the folder beside the images'."""
    masks: dict[Path, dict[str, str]] = {}
    for folder in sorted({path.parent for path in images}):
        beside = folder.parent / MASKS
        if beside.is_dir():
            masks |= masks_of({"lung": beside}, [path for path in images if path.parent == folder], (folder,))
    return masks
