"""Guangzhou paediatric pneumonia (Kermany et al., Cell 2018), which SRHRS calls GZCP.

5,856 radiographs, all anterior-posterior, of children from one to five years, JPEG of many sizes, some in colour: 1,583
normal and 4,273 with pneumonia, which names of files divide into bacterial and viral. The publisher has 5,232 images
for training and 624 (234 normal) for testing. Licence CC BY 4.0.

Pitfalls: Kaggle's copy has a `val` folder of 16 images, too few to choose a model by: they train, and validation
patients are drawn from all of train. Its archive holds all of itself again (`chest_xray/chest_xray`), and `__MACOSX`.
Numbers of persons occur in train and test; the publisher calls the two apart by patient, so they count as two people.
One person may have images of both causes, and some pictures are there twice under two names. Normal images are named
otherwise: IM-0115-0001, NORMAL2-IM-0001-0001.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice
from ...records import Corpus, Record
from ..registry import reader
from ..support.copies import first_few_below, one_each
from ..support.defects import NESTED_COPIES
from ..support.finish import finish
from ..support.publication import Publication
from ..support.spelling import SPLIT_FOLDERS
from ..support.suffixes import stem
from ..support.told import told_by_folders
from ..support.tree import Tree, require_root

PUBLICATION = Publication(
    name="kermany",
    title="Guangzhou paediatric pneumonia (Kermany)",
    where="https://data.mendeley.com/datasets/rscbjbr9sj (or Kaggle paultimothymooney/chest-xray-pneumonia)",
    licence="CC BY 4.0",
    citation="Kermany et al., Identifying Medical Diagnoses and Treatable Diseases by Image-Based Deep Learning, 2018",
    images=5_856,
    splits={"train": 5_232, "test": 624},
    files=("{train,val,test}/{NORMAL,PNEUMONIA}/*.jpeg",),
    gives=("2 classes, or 3 with causes",),
    signs=("person*_bacteria_*.jp*g", "person*_virus_*.jp*g", "NORMAL2-IM-*-*.jp*g"),
    defects=(NESTED_COPIES,),
)
CLASSES = ("NORMAL", "PNEUMONIA")
CAUSES = ("NORMAL", "BACTERIA", "VIRUS")
NAME = re.compile(r"(?:(person\d+)_(bacteria|virus)|((?:NORMAL2-)?IM-\d+))[-_]\d+(?:[-_]\d+)?", re.IGNORECASE)


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    causes: bool = False,
    val_fraction: float = 0.1,
    test_fraction: float = 0.2,
    seed: int = 0,
    shared_patients: str = "separate",
) -> Corpus:
    """Read the publisher's folder, or any part of it. Labels are one-hot.

    Args:
        root: holds folders called after the classes, in folders called after splits or in none.
        causes: tell three classes, bacterial and viral pneumonia apart, instead of two.
        val_fraction: share of the training patients to validate on, in [0, 1).
        test_fraction: share of the patients to test on, used only where no folder is called after a split.
        seed: of the draws of patients.
        shared_patients: what to do with numbers of persons in both splits: "separate", "drop" or "error".

    Raises:
        DatasetError: no image named as this data set's, one in no class folder or in another class than its name says,
            different images of one name, or shared patients.
    """
    base = require_root(root, f"The images are at {PUBLICATION.where}")
    found = Tree(base).images()
    named = [path for path in found if NAME.fullmatch(stem(path.name))]
    strangers = [path for path in found if not NAME.fullmatch(stem(path.name))]
    if not named:
        problem = "no image in it is named like person1_bacteria_1.jpeg or IM-0115-0001.jpeg"
        raise DatasetError(base, problem, f"Get the images from {PUBLICATION.where}")
    splits = told_by_folders(named, base, SPLIT_FOLDERS | dict.fromkeys(("val", "valid", "validation"), "train"))
    classes = told_by_folders(named, base, {name: name for name in CLASSES})
    _check_classes(named, classes, base)
    images = one_each(
        named,
        base,
        lambda path: f"{splits[path.parent]}/{classes[path.parent]}/{stem(path.name)}",
        lambda path: (path.parent.name in CLASSES, -len(path.parts)),
    )
    records = [
        Record(
            image=str(path),
            patient_id=_patient(path),
            split=splits[path.parent] or "train",
            source=PUBLICATION.name,
            labels=_labels(path, causes),
            view="AP",
        )
        for path in sorted(images.values())
    ]
    if strangers:
        lost = first_few_below(base, strangers)
        add_notice(f"{len(strangers)} images are named otherwise than this data set's and left out ({lost})")
    return finish(
        PUBLICATION,
        records,
        findings=CAUSES if causes else CLASSES,
        shared_patients=shared_patients,
        split_by=f"{base}: the folders train and test",
        test_fraction=None if any(splits.values()) else test_fraction,
        val_fraction=val_fraction,
        seed=seed,
    )


def _parts(path: Path) -> tuple[str | None, str | None, str | None]:
    """Person and cause of pneumonia, or the series of a normal image."""
    return NAME.fullmatch(stem(path.name)).groups()  # type: ignore[union-attr,return-value]  # only named ones


def _patient(path: Path) -> str:
    person, _, series = _parts(path)
    return (person or series or "").lower()


def _labels(path: Path, causes: bool) -> tuple[float, ...]:
    cause = _parts(path)[1]
    kind = "NORMAL" if cause is None else cause.upper() if causes else "PNEUMONIA"
    return tuple(float(kind == name) for name in (CAUSES if causes else CLASSES))


def _check_classes(images: Iterable[Path], classes: dict[Path, str | None], base: Path) -> None:
    """Refuse an image whose folder is no class, or not that of its name."""
    for path in images:
        stated = "NORMAL" if _parts(path)[1] is None else "PNEUMONIA"
        if classes[path.parent] != stated:
            problem = f"{path.relative_to(base)} is in the folder {path.parent.name!r}, and its name says {stated}"
            raise DatasetError(base, problem, f"Put it into {stated}; known are {' and '.join(CLASSES)}")
