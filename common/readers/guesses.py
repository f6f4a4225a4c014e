"""What the names in a folder suggest that its reader was not told: class folders, masks, and patients."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

from ..records import Record

PATIENTS = (r"([^/]*?\d+)[-_ ][^/]*$", r"([^/]+)[-_ ][^-_ /]*$")
"""Up to the first number, as in 00000013_005 and person1_virus_6; up to the last part, as in NORMAL2-IM-0503-0001."""
SPLIT = re.compile(r"(train|val|test)(ing|id|idation)?$", re.IGNORECASE)
MASKS = re.compile(r"mask|segmentation|annotation", re.IGNORECASE)
CROWD = 50
"""A part of the names that stands before more than one image in so many is no patient."""


def guesses(records: Sequence[Record], root: Path, told: Collection[str]) -> list[str]:
    """Options of the reader `folder` that would fit, one line each; for a person to judge, and never taken by itself.

    Args:
        records: of the folder, read by what was told.
        root: the folder.
        told: names of the options that were given.
    """
    paths = [PurePosixPath(Path(record.image).relative_to(root).as_posix()) for record in records]
    masks = [] if "masks" in told else _mask_folders(paths)
    found = masks or ([] if {"classes", "labels_csv"} & set(told) else _class_folders(paths))
    return found if {"patient_pattern", "patient_column"} & set(told) else [*found, *_patients(paths)]


def _mask_folders(paths: Collection[PurePosixPath]) -> list[str]:
    """Folders called after masks, whose files are named like the images of another folder."""
    stems = defaultdict(set)
    for path in paths:
        stems[path.parent].add(re.sub(r"[-_]?mask$", "", path.stem, flags=re.IGNORECASE))
    for folder in sorted(stems):
        alike = {other: len(stems[folder] & stems[other]) for other in stems if other != folder}
        pairs = [other for other, count in alike.items() if count > len(stems[folder]) / 2]
        if MASKS.search(folder.name) and pairs:
            where = f"{folder} is named like masks of {pairs[0]}"
            return [f"{where}: --option 'images={pairs[0]}' --option 'masks={{structure: {folder}}}'"]
    return []


def _class_folders(paths: Collection[PurePosixPath]) -> list[str]:
    """Names that repeat below every split, or the folders that all images lie in."""
    below = defaultdict(set)
    for path in paths:
        below[_split(path)].add("" if SPLIT.match(path.parent.name) else path.parent.name)
    names = set.union(*below.values())
    if len(names) < 2 or "" in names or any(found != names for found in below.values()):
        return []
    return [f"images lie in {len(names)} folders: --option 'classes=[{', '.join(sorted(names))}]'"]


def _patients(paths: Sequence[PurePosixPath]) -> list[str]:
    """The pattern that makes the fewest patients without putting a crowd together."""
    best: dict[str, list[PurePosixPath]] = {}
    chosen = ""
    for pattern in PATIENTS:
        groups = defaultdict(list)
        for path in paths:
            match = re.search(pattern, path.as_posix())  # as the reader does
            groups[match[1] if match else path.as_posix()].append(path)
        largest = max(map(len, groups.values()))
        if largest <= max(20, len(paths) / CROWD) and 1 < len(groups) < len(best or paths):
            best, chosen = groups, pattern
    if not best:
        return ["no patients were told, and names suggest none: each image is one, and shared patients are not found"]
    shared = sum(len(set(map(_split, group))) > 1 for group in best.values())
    name, group = max(best.items(), key=lambda item: len(item[1]))
    alone = Counter(map(len, best.values()))[1]
    return [
        "no patients were told: each image is one, and shared patients are not found. By their names there may be "
        f"{len(best):,}, such as {name} with {len(group)} images, {alone:,} with one, and {shared:,} in two splits: "
        f"--option 'patient_pattern={chosen}'"
    ]


def _split(path: PurePosixPath) -> str:
    """The folder on the way that is called after a split; nothing where there is none."""
    return next((part.lower() for part in path.parts[:-1] if SPLIT.match(part)), "")
