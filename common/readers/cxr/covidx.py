"""COVIDx CXR (COVID-Net; Wang et al., Scientific Reports 2020).

Radiographs gathered from several collections, as lists of versions: 9A (30,530 images, 30,130 for training and 400
for testing: normal, pneumonia, COVID-19), 7A and 8A before it, 8B and 9B of two classes (negative, positive), and CXR-4
of Kaggle (84,818 images with a validation list). The lists are disjoint by patient. Licence: that of each
collection; cite the paper.

Pitfalls: a line is `patient file label source` between blanks, and file names hold blanks themselves (`COVID (1).png`).
The first list of 9A called 943 COVID-19 images of SIRM `positive`; one source is also spelled `rnsa`. The 496 images
of stonybrook hold other parts of the body; without them 9A trains on the 29,634 images of CXR-3, and the papers' 29,633
is one less. Images are of many sizes and colours, and re-use RSNA's, hence ChestX-ray14's.
"""

import os
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...files.text import read_lines
from ...records import Corpus, Record
from ..registry import reader
from ..support.copies import first_few_below, one_each
from ..support.finish import finish
from ..support.publication import Publication
from ..support.spelling import canonical, folded
from ..support.tree import Tree, require_root

PUBLICATION = Publication(
    name="covidx",
    title="COVIDx CXR",
    where="https://github.com/lindawangg/COVID-Net (lists) and Kaggle andyczhao/covidx-cxr2 (images)",
    licence="as each of its collections states",
    citation="Wang et al., COVID-Net: A Tailored Deep CNN Design for Detection of COVID-19 Cases from CXR, 2020",
    images=30_530,
    splits={"train": 30_130, "test": 400},
    files=("train/*, test/* (older: competition_test/*)", "train_COVIDx9A.txt, test_COVIDx9A.txt (or train.txt ...)"),
    gives=("3 classes, or 2",),
    signs=("train_COVIDx*.txt", "test_COVIDx*.txt", "competition_test/*"),
)
CLASSES = ("normal", "pneumonia", "COVID-19")
"""In the order of the papers' code."""
BINARY = ("negative", "positive")
LIST = re.compile(r"(train|val|test)(?:_COVIDx_?(\w+))?\.txt", re.IGNORECASE)
FOLDERS = {"train": ("train",), "val": ("val",), "test": ("test", "competition_test")}
SOURCES = {"rnsa": "rsna"}


class Line(NamedTuple):
    """What a list says of an image, and the line itself."""

    image: str
    patient: str
    label: str
    split: str
    where: str


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    version: str | None = None,
    without_sources: Sequence[str] = (),
    val_fraction: float = 0.1,
    seed: int = 0,
    shared_patients: str = "error",
) -> Corpus:
    """Read images by the lists of a version. Labels are one-hot.

    Args:
        root: holds lists and images, in whatever sub-folders.
        version: of the lists, such as "9A" for `train_COVIDx9A.txt` and "" for `train.txt`; None takes the only one.
        without_sources: collections to leave out, such as "stonybrook".
        val_fraction: share of the training patients to validate on where there is no list for it, in [0, 1).
        seed: of the draw of patients.
        shared_patients: what to do with patients in two lists: "error", "drop" or "separate".

    Raises:
        DatasetError: no list or lists of several versions, a line without its four fields, an unknown class, no image
            of the lists here, or shared patients.
    """
    base = require_root(root, f"COVIDx is at {PUBLICATION.where}")
    tree = Tree(base)
    lines = [
        line
        for split, path in _lists(tree, version).items()
        for line in _lines_of(path, split, {folded(source) for source in without_sources})
    ]
    classes = CLASSES if {line.label for line in lines} & set(map(folded, CLASSES)) else BINARY
    images = _images(tree, lines)
    records = [
        Record(
            image=str(images[line.image]),
            patient_id=canonical(line.patient),
            split=line.split,
            source=PUBLICATION.name,
            labels=_labels(line, classes),
        )
        for line in lines
        if line.image in images
    ]
    return finish(
        PUBLICATION,
        records,
        findings=classes,
        shared_patients=shared_patients,
        split_by=f"{base}: the lists",
        val_fraction=val_fraction,
        seed=seed,
    )


def _lists(tree: Tree, version: str | None) -> dict[str, Path]:
    """Return split -> list, of one version."""
    versions: dict[str, dict[str, str]] = defaultdict(dict)
    for path in tree.paths:
        if found := LIST.fullmatch(path.name):
            versions[(found[2] or "").upper()][found[1].lower()] = path.name
    if not versions:
        problem = "no list like train_COVIDx9A.txt or train.txt in it"
        raise DatasetError(tree.root, problem, f"Get the lists from {PUBLICATION.where}")
    known = ", ".join(map(repr, sorted(versions)))
    if version is None and len(versions) > 1:
        raise DatasetError("version", f"{tree.root} has the lists of several: {known}", "Name the one that is meant")
    wanted = next(iter(versions)) if version is None else str(version).upper()
    if wanted not in versions:
        raise DatasetError("version", f"no lists of {version!r} in {tree.root}", f"There are {known}")
    absent = [split for split in ("train", "test") if split not in versions[wanted]]
    if absent:
        add_notice(f"the {absent[0]} list is missing: its images are not read")
    lists = {split: tree.find((name,)) for split, name in versions[wanted].items()}
    return {split: path for split, path in lists.items() if path is not None}


def _lines_of(path: Path, split: str, left_out: Collection[str]) -> list[Line]:
    """Read a list, its fields from both ends, for names of files hold blanks."""
    lines: dict[str, Line] = {}
    dropped = 0
    for text in read_lines(path):
        fields, where = text.split(" "), repr(text)
        if len(fields) < 4:
            raise DatasetError(path, f"{where} is not `patient file label source`", "Get the list again")
        patient, label, source = fields[0], folded(fields[-2]), folded(fields[-1])
        if SOURCES.get(source, source) in left_out:
            dropped += 1
            continue
        line = Line(" ".join(fields[1:-2]), patient, label, split, where)
        other = lines.setdefault(line.image, line)
        if (other.patient, other.label) != (line.patient, line.label):
            raise DatasetError(path, f"{where} contradicts {other.where}", "Get the list again")
    if dropped:
        add_notice(f"{dropped} lines of {path.name} left out for their source ({first_few(sorted(left_out))})")
    return list(lines.values())


def _images(tree: Tree, lines: Sequence[Line]) -> dict[str, Path]:
    """Return name -> file of what the lists name; of several files of one name the one in its split's folder."""
    split_of = {line.image: line.split for line in lines}
    found = tree.images()
    images = one_each(
        [path for path in found if path.name in split_of],
        tree.root,
        lambda path: path.name,
        lambda path: path.parent.name.lower() in FOLDERS[split_of[path.name]],
    )
    if not images:
        problem = f"the lists name {len(lines):,} images ({first_few(split_of)}) and none of them is here"
        raise DatasetError(tree.root, problem, f"Get the images from {PUBLICATION.where}")
    lost = [name for name in split_of if name not in images]
    if lost:
        add_notice(f"{len(lost):,} images of the lists are not here ({first_few(lost)})")
    strangers = [path for path in found if path.name not in split_of]
    if strangers:
        add_notice(f"{len(strangers):,} images are in no list ({first_few_below(tree.root, strangers)})")
    return images


def _labels(line: Line, classes: Sequence[str]) -> tuple[float, ...]:
    names: Mapping[str, str] = {folded(name): name for name in classes}
    # The first list of 9A has it so.
    kind = "COVID-19" if classes == CLASSES and line.label == "positive" else names.get(line.label)
    if kind is None:
        raise DatasetError("label", f"{line.where} has the class {line.label!r}", f"Known are {', '.join(classes)}")
    return tuple(float(name == kind) for name in classes)
