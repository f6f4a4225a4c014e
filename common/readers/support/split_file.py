"""A split by patient kept in a file, so that pre-training and its evaluation share no patient.

The file is JSON: `dataset`, `seed`, `count`, and under `parts` two parts, `pretraining` with the splits train and val
and `downstream` with train, val and test. A split lists its images by file name, or by path below the root where two
images have one name.

Source: SRHRS pre-trains on 67K images of ChestX-ray14's training list and evaluates on all others, 6:2:2 (methods C20).
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from ...files.errors import DatasetError, SharedPatients
from ...files.notices import add_notice, first_few
from ...files.text import read_json
from ...records import SPLITS, Corpus, Record
from .matching import match
from .splits import draw_patients, rank_patients

PARTS = ("pretraining", "downstream")
DOWNSTREAM_SHARE = 0.2  # of the patients for validation, and as much for testing


def draw_split(corpus: Corpus, root: str | os.PathLike[str], count: int, seed: int, val_share: float) -> dict[str, Any]:
    """Divide a data set into images to pre-train on and images for a downstream task.

    Patients of the training and validation splits go to pre-training in a random order until the next one would exceed
    `count` images. All others, the test split's among them, are divided 6:2:2 by patient.

    Args:
        corpus: of a reader, with its own splits.
        root: the folder that was read.
        count: images to pre-train on, at most; 1 or more, and less than the training images.
        seed: of the draws.
        val_share: share of the pre-training patients whose images validate, in (0, 1).

    Returns:
        content of a split file.

    Raises:
        DatasetError: `count` or `val_share` out of range, or so few patients that a split would be empty.
    """
    names = image_names(corpus.records, root)
    images = Counter(record.patient_id for record in corpus.records)
    training = [record.patient_id for record in corpus.records if record.split != "test"]
    if not 0 < count < len(training):
        raise DatasetError("--count", f"it is {count}", f"It must lie in 1..{len(training) - 1}, the training images")
    chosen: set[str] = set()
    total = 0
    for patient in rank_patients(training, seed):
        total += images[patient]
        if total > count:
            break
        chosen.add(patient)
    rest = images.keys() - chosen
    test = draw_patients(rest, DOWNSTREAM_SHARE, f"{seed}/test", "downstream")
    val = draw_patients(rest - test, DOWNSTREAM_SHARE / (1 - DOWNSTREAM_SHARE), f"{seed}/val", "downstream")
    held_out = draw_patients(chosen, val_share, f"{seed}/pretraining", "--val-share")
    patients = {
        "pretraining": {"train": chosen - held_out, "val": held_out},
        "downstream": {"train": rest - test - val, "val": val, "test": test},
    }
    parts: dict[str, dict[str, list[str]]] = {}
    for part, splits in patients.items():
        parts[part] = {}
        for split, members in splits.items():
            listed = sorted(name for name, r in zip(names, corpus.records, strict=True) if r.patient_id in members)
            if not listed:
                raise DatasetError(corpus.name, f"the split {split} of {part} would be empty", "Choose another --count")
            parts[part][split] = listed
    return {"dataset": corpus.name, "seed": seed, "count": count, "parts": parts}


def apply_split(corpus: Corpus, root: str | os.PathLike[str], split_file: str, split_part: str | None) -> Corpus:
    """Give the images of one part the splits of a file, and leave out those of the other part.

    Args:
        corpus: of a reader, whose own splits are forgotten.
        root: the folder that was read.
        split_file: path of the file.
        split_part: "pretraining" or "downstream".

    Raises:
        DatasetError: an unknown part, no such file, images that the file does not list or that are not there.
        SharedPatients: a patient in two splits.
    """
    if split_part not in PARTS:
        raise DatasetError("split_part", f"the value is {split_part!r}", f"It must be one of {', '.join(PARTS)}")
    places = _places(Path(split_file))
    images = [Path(record.image) for record in corpus.records]
    found = match(places, images, (Path(root).expanduser().resolve(),), split_file)
    found.refuse_contrary(places.__getitem__, split_file)
    remedy = "Make the split of this very folder: python scripts/split_patients.py"
    if unknown := sorted(found.lost):
        raise DatasetError(split_file, f"{len(unknown)} of its images are not in {root} ({first_few(unknown)})", remedy)
    if lacking := sorted(set(images) - found.name_of.keys()):
        names = first_few(path.name for path in lacking)
        raise DatasetError(split_file, f"it lacks {len(lacking)} images of {root} ({names})", remedy)
    home: dict[str, tuple[str, str]] = {}
    kept = []
    for image, record in zip(images, corpus.records, strict=True):
        place = places[found.name_of[image]]
        if home.setdefault(record.patient_id, place) != place:
            both = " and ".join("/".join(one) for one in (home[record.patient_id], place))
            raise SharedPatients(split_file, f"patient {record.patient_id} is in {both}", remedy)
        if place[0] == split_part:
            kept.append(replace(record, split=place[1]))
    add_notice(f"{len(corpus) - len(kept)} images are in the other part of {split_file} and left out")
    return replace(corpus, records=tuple(kept))


def image_names(records: Sequence[Record], root: str | os.PathLike[str]) -> list[str]:
    """File names of the images, or their paths below the root where two have one name."""
    names = [PurePath(record.image).name for record in records]
    if len(set(names)) == len(names):
        return names
    return [PurePath(os.path.relpath(record.image, root)).as_posix() for record in records]


def _places(path: Path) -> dict[str, tuple[str, str]]:
    """Image -> (part, split)."""
    content = read_json(path)
    parts = content.get("parts") if isinstance(content, Mapping) else None
    if not isinstance(parts, Mapping):
        raise DatasetError(path, "it is no split file", "Make it with python scripts/split_patients.py")
    places: dict[str, tuple[str, str]] = {}
    for part, splits in parts.items():
        for split, names in _checked(path, part, splits).items():
            for name in names:
                if name in places:
                    raise DatasetError(path, f"it lists {name} twice", "Make it with python scripts/split_patients.py")
                places[name] = (part, split)
    return places


def _checked(path: Path, part: str, splits: Any) -> Mapping[str, list[str]]:
    if part not in PARTS or not isinstance(splits, Mapping) or not splits.keys() <= set(SPLITS):
        problem = f"the part {part!r} is none of {', '.join(PARTS)}, or has other splits than {', '.join(SPLITS)}"
        raise DatasetError(path, problem, "Make it with python scripts/split_patients.py")
    for split, names in splits.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            problem = f"the split {split!r} of {part!r} is no list of file names"
            raise DatasetError(path, problem, "Make it with python scripts/split_patients.py")
    return splits
