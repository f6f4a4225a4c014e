"""EyePACS, the Kaggle diabetic retinopathy challenge of 2015.

88,702 colour fundus photographs of both eyes of 44,351 patients, JPEG of many sizes: 35,126 for training and 53,576
for testing, graded 0 to 4 by one reader. The grades of the test images came out after the challenge, in
`retinopathy_solution.csv`, and are not in its archives. Use under the challenge's rules; cite the challenge.

Pitfalls: 73 % of the training images have grade 0, and grades are noisy. Cameras differ, so do the black borders; some
photographs are upside down, out of focus, or black altogether; black ones are left out by name where they are decoded.
Photographs are wider than high, and a store makes them square. Papers differ in what they pre-train on: Adam on the
35,126 training images, ACE on the test images too, of which it uses no grades: it tests on a tenth of the training
images (8:1:1), as `test_fraction` does.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...records import Corpus, Record
from ..registry import reader
from ..support.copies import first_few_below, one_each
from ..support.finish import finish
from ..support.publication import Publication
from ..support.repeats import Once
from ..support.spelling import SPLIT_FOLDERS, canonical
from ..support.splits import hold_out
from ..support.suffixes import stem
from ..support.tables import read_table
from ..support.told import told_by_folders
from ..support.tree import Tree, require_root

PUBLICATION = Publication(
    name="eyepacs",
    title="EyePACS (Kaggle diabetic retinopathy detection)",
    where="https://www.kaggle.com/c/diabetic-retinopathy-detection",
    licence="rules of the challenge",
    citation="EyePACS and California Healthcare Foundation, Diabetic Retinopathy Detection, Kaggle 2015",
    images=88_702,
    patients=44_351,
    splits={"train": 35_126, "test": 53_576},
    files=("train/*.jpeg (5 parts)", "test/*.jpeg (7 parts)", "trainLabels.csv", "retinopathy_solution.csv (optional)"),
    gives=("5 grades",),
    signs=("trainLabels.csv*", "retinopathy_solution.csv*", "[1-9]*_left.jpeg"),
)
GRADES = ("No DR", "Mild", "Moderate", "Severe", "Proliferative")
TABLES = {"train": "trainLabels.csv", "test": "retinopathy_solution.csv"}
NAME = re.compile(r"(\d+)_(?:left|right)")


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    val_fraction: float = 0.1,
    test_fraction: float | None = None,
    seed: int = 0,
    shared_patients: str = "error",
) -> Corpus:
    """Read the publisher's folder, or any part of it; either table may be missing.

    An image belongs to the split whose table names it, otherwise to the one whose folder it lies in. Labels are one-hot
    in the order of the grades; an image in no table has none. Both eyes of a patient share a split.

    Args:
        root: holds `train/` and `test/` and the tables, in whatever sub-folders.
        val_fraction: share of the training patients to validate on, in [0, 1).
        test_fraction: share of the publisher's training patients to test on, in [0, 1); the publisher's test images
            then train, without grades. None tests on them.
        seed: of the draws of patients.
        shared_patients: what to do with patients in both splits: "error", "drop" or "separate".

    Raises:
        DatasetError: no image named as EyePACS's, an image in neither split, a column missing, or an unknown grade.
    """
    base = require_root(root, f"EyePACS is at {PUBLICATION.where}")
    tree = Tree(base)
    found = tree.images()
    named = [path for path in found if NAME.fullmatch(stem(path.name))]
    strangers = [path for path in found if not NAME.fullmatch(stem(path.name))]
    folders = told_by_folders(named, base, {name: split for name, split in SPLIT_FOLDERS.items() if split in TABLES})
    images = one_each(named, base, lambda path: stem(path.name), lambda path: folders[path.parent] is not None)
    if not images:
        problem = "no image in it is named like 10_left.jpeg"
        raise DatasetError(base, problem, f"Unpack train and test there; they are at {PUBLICATION.where}")
    listed, labels = _tables(tree, images)
    nowhere = [path for name, path in images.items() if name not in listed and folders[path.parent] is None]
    if nowhere:
        problem = f"{first_few_below(base, nowhere)}: in no table and in no folder called train or test"
        raise DatasetError(base, problem, f"Put them into one of them, or {TABLES['train']} beside them")
    records = [
        Record(
            image=str(path),
            patient_id=canonical(name.partition("_")[0]),
            split=listed.get(name) or str(folders[path.parent]),
            source=PUBLICATION.name,
            labels=labels.get(name),
        )
        for name, path in sorted(images.items())
    ]
    if strangers:
        lost = first_few_below(base, strangers)
        add_notice(f"{len(strangers)} images are not named like 10_left.jpeg and left out ({lost})")
    corpus = finish(
        PUBLICATION,
        records,
        findings=GRADES if labels else (),
        shared_patients=shared_patients,
        split_by=f"{base}: train and test",
        val_fraction=val_fraction if test_fraction is None else None,
        seed=seed,
    )
    return corpus if test_fraction is None else _tested_on_train(corpus, test_fraction, val_fraction, seed)


def _tested_on_train(corpus: Corpus, test_fraction: float, val_fraction: float, seed: int) -> Corpus:
    """Draw all three splits from the publisher's training patients, and train on the others without grades."""
    graded = [record for record in corpus.records if record.split == "train"]
    others = [replace(record, split="train", labels=None) for record in corpus.records if record.split == "test"]
    graded = hold_out(graded, test_fraction, seed, "test", "test_fraction")
    graded = hold_out(graded, val_fraction, seed, "val", "val_fraction")
    add_notice(
        f"{test_fraction:.1%} of the training patients drawn as test with seed {seed}, not the official split: the "
        f"{len(others):,} images of the publisher's test folder train without grades"
    )
    return replace(corpus, records=(*graded, *others))


def _tables(tree: Tree, images: Mapping[str, Path]) -> tuple[dict[str, str], dict[str, tuple[float, ...]]]:
    """Return split and label of the images that the tables name."""
    told: Once[tuple[str, tuple[float, ...]]] = Once("grade or split")
    for split, table_name in TABLES.items():
        path = tree.find((table_name,))
        if path is None:
            add_notice(f"{table_name} is missing: no grades of the {split} images")
            continue
        lines = [
            (line, image, stem(image), (split, _one_hot(level, f"line {line}: {image}", path)))
            for line, image, level in read_table(path, ("image", "level"))[["image", "level"]].itertuples()
        ]
        told.read((line for line in lines if line[2] in images), path)
        lost = [image for _, image, name, _ in lines if name not in images]
        if lost:
            add_notice(f"{len(lost):,} images of {path.name} are not here ({first_few(lost)})")
    listed = {name: split for name, (split, _) in told.of.items()}
    return listed, {name: label for name, (_, label) in told.of.items()}


def _one_hot(level: str, where: str, path: Path) -> tuple[float, ...]:
    if canonical(level) not in map(str, range(len(GRADES))):
        problem = f"{where} has the level {level!r}, which is none of 0 to {len(GRADES) - 1}"
        raise DatasetError(path, problem, "Get the publisher's file again")
    return tuple(float(grade == int(canonical(level))) for grade in range(len(GRADES)))
