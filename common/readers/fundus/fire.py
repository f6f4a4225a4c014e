"""FIRE, registered pairs of fundus photographs (Hernandez-Matas et al., Journal for Modeling in Ophthalmology 2017).

268 colour photographs in 134 pairs of 39 patients, JPEG of 2912 x 2912 pixels: 71 pairs that overlap well (S), 49 that
overlap little (P), 14 whose anatomy changed in between (A). Ten control points of a pair are marked in both images.
There is no training split: all is for testing. Licence: research use; cite the paper.

A record is an image of a pair. `study_id` is the pair, such as P07, whose letter is its kind; its two records have
landmarks of the same names, 01 to 10, of which each pair corresponds. The first record is the reference (`_1`).

Pitfalls: a line of control points is x y x y, of the first image and then the second, in the frame of 2912 pixels. 268
files show 129 images: pairs that share one count as one patient, since no name tells whose they are. One mask of the
field of view stands for all images. Archives nest FIRE/FIRE.
"""

import math
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...files.text import read_lines
from ...records import Corpus, Record
from ..registry import reader
from ..support.copies import equal_files, one_each
from ..support.defects import NESTED_COPIES
from ..support.finish import finish
from ..support.publication import Publication
from ..support.suffixes import stem
from ..support.tables import number
from ..support.tree import Tree, require_root

PUBLICATION = Publication(
    name="fire",
    title="FIRE",
    where="https://projects.ics.forth.gr/cvrl/fire/",
    licence="research use",
    citation="Hernandez-Matas et al., FIRE: Fundus Image Registration Dataset, 2017",
    images=268,
    splits={"test": 268},
    files=("Images/{A,P,S}??_{1,2}.jpg", "Ground Truth/control_points_???_1_2.txt", "Masks/mask.png"),
    gives=("10 control points of each of 134 pairs", "field of view"),
    signs=("control_points_[APS][0-9][0-9]_1_2.txt", "[APS][0-9][0-9]_[12].jpg"),
    defects=(NESTED_COPIES,),
)
IMAGE = re.compile(r"([APS]\d\d)_([12])", re.IGNORECASE)
POINTS = re.compile(r"control_points_([APS]\d\d)_1_2\.txt", re.IGNORECASE)
FRAME = 2912.0
FIELD = "field_of_view"
Place = tuple[float, float]


@reader(PUBLICATION)
def read(root: str | os.PathLike[str]) -> Corpus:
    """Read the publisher's folder.

    Args:
        root: holds `Images`, `Ground Truth` and `Masks`, in whatever folder.

    Raises:
        DatasetError: no image named as FIRE's, different files of one name, or a line that is no pair of points within
            both images.
    """
    base = require_root(root, f"FIRE is at {PUBLICATION.where}")
    tree = Tree(base)
    images = one_each(
        [path for path in tree.images() if IMAGE.fullmatch(stem(path.name))],
        base,
        lambda path: stem(path.name).upper(),
        lambda path: path.suffix.lower() == ".jpg",
    )
    if not images:
        problem = "no image in it is named like P07_1.jpg"
        raise DatasetError(base, problem, f"Get FIRE from {PUBLICATION.where}")
    points = _control_points(tree, images)
    patients = _patients(images)
    field = tree.find(("mask.png",))
    if field is None:
        add_notice("mask.png is missing: no field of view")
    records = [
        Record(
            image=str(path),
            patient_id=patients[name[:-2]],
            split="test",
            source=PUBLICATION.name,
            masks={} if field is None else {FIELD: str(field)},
            landmarks=points.get(name, {}),
            study_id=name[:-2],
        )
        for name, path in sorted(images.items())
    ]
    return finish(
        PUBLICATION,
        records,
        structures=() if field is None else (FIELD,),
        landmarks=sorted({landmark for places in points.values() for landmark in places}),
    )


def _control_points(tree: Tree, images: Mapping[str, Path]) -> dict[str, dict[str, Place]]:
    """Return image, such as P07_1 -> name of a point -> its place; of pairs that are whole."""
    points: dict[str, dict[str, Place]] = defaultdict(dict)
    files = {found[1].upper(): path for path in tree.paths if (found := POINTS.fullmatch(path.name))}
    for pair, path in sorted(files.items()):
        for place, line in enumerate(read_lines(path), 1):
            first, second = _pair_of_points(line, place, path)
            points[f"{pair}_1"][f"{place:02}"] = first
            points[f"{pair}_2"][f"{place:02}"] = second
    lost = sorted(pair for pair in files if not {f"{pair}_1", f"{pair}_2"} <= images.keys())
    if lost:
        add_notice(f"{len(lost)} pairs have control points and lack an image ({first_few(lost)})")
    bare = sorted({name[:-2] for name in images} - files.keys())
    if bare:
        add_notice(f"{len(bare)} pairs have no control points ({first_few(bare)})")
    return {name: places for name, places in points.items() if name in images and name[:-2] not in lost}


def _pair_of_points(line: str, place: int, path: Path) -> tuple[Place, Place]:
    """The points of a line, x first, as (row, col) fractions."""
    try:
        x1, y1, x2, y2 = (number(text) / FRAME for text in line.split())
    except ValueError:
        x1 = y1 = x2 = y2 = math.nan
    if not all(0 <= value <= 1 for value in (x1, y1, x2, y2)):
        problem = f"line {place}: {line!r} is not x y x y within 0 to {FRAME:.0f} pixels"
        raise DatasetError(path, problem, "Get the publisher's file again")
    return (y1, x1), (y2, x2)


def _patients(images: Mapping[str, Path]) -> dict[str, str]:
    """Return pair -> the first of all pairs that it shares images with, directly or by others."""
    first = {name[:-2]: name[:-2] for name in sorted(images)}

    def root(pair: str) -> str:
        return pair if first[pair] == pair else root(first[pair])

    pair_of = {path: name[:-2] for name, path in images.items()}
    for group in equal_files(sorted(images.values())):
        _join(sorted({root(pair_of[path]) for path in group}), first)
    return {pair: root(pair) for pair in first}


def _join(pairs: Sequence[str], first: dict[str, str]) -> None:
    for pair in pairs[1:]:
        first[pair] = pairs[0]
