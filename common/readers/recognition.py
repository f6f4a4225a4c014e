"""Which data set a folder holds, by the names of files that only it has in common use."""

import fnmatch
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..files.errors import DatasetError
from ..overlay_readers import told_by_overlays
from .registry import find_reader, reader_modules
from .support.publication import Publication
from .support.suffixes import has_known_suffix
from .support.tree import CLUTTER

ALIKE = 50  # images of a folder are named alike: these tell as much as all
MOST = 100_000  # files to look at; the nearest to the root come first, and tables are among them


@dataclass(frozen=True)
class Recognised:
    """A data set whose signs a folder has.

    Args:
        publication: of the data set.
        example: for each of its signs that is there the first file, below the root.
    """

    publication: Publication
    example: dict[str, str]

    def __str__(self) -> str:
        """Such as `kermany (Guangzhou paediatric pneumonia): train/PNEUMONIA/person1_virus_6.jpeg`."""
        return f"{self.publication.name} ({self.publication.title}): {', '.join(self.example.values())}"


def recognise(root: str | os.PathLike[str]) -> list[Recognised]:
    """Return the data sets whose signs lie below a folder, those with most of their signs first.

    Args:
        root: the folder; images alike are sampled, so that one of a million slices takes seconds.
    """
    names = list(_names(str(root)))
    found = []
    for dataset in reader_modules():
        publication = find_reader(dataset).publication
        patterns = {sign: re.compile(f"(?:.*/)?{fnmatch.translate(sign)}", re.IGNORECASE) for sign in publication.signs}
        first = {sign: next(filter(pattern.match, names), None) for sign, pattern in patterns.items()}
        example = {sign: name for sign, name in first.items() if name is not None}
        if example:
            found.append(Recognised(publication, example))
    return sorted(found, key=lambda known: -len(known.example) / len(known.publication.signs))


def the_one(root: str | os.PathLike[str]) -> str:
    """Return the name of the one data set that a folder holds.

    Raises:
        DatasetError: no such folder, or the signs of none, or of several.
    """
    if not Path(root).is_dir():
        remedy = "Give a folder, or the name of a data set and a folder; `list` prints the names"
        if str(root) in reader_modules():
            remedy = f"That is the name of a data set: give its folder after it, `{root} FOLDER`"
        else:
            remedy = told_by_overlays(str(root)) or remedy
        raise DatasetError(root, "no such folder", remedy)
    found = recognise(root)
    if not found:
        problem = "no known data set is told by its files"
        raise DatasetError(root, problem, "Name the data set (`list` prints all), or `folder` for files of your own")
    if len(found) > 1:
        problem = f"its files tell {len(found)} data sets: {'; '.join(map(str, found))}"
        raise DatasetError(root, problem, "Name the one that is meant, and give its own folder")
    return found[0].publication.name


def _names(root: str) -> Iterator[str]:
    """Give paths below the root, folder by folder from the top, of many images in a folder only some."""
    given, folders = 0, [""]
    while folders and given < MOST:
        below: list[str] = []
        for folder in folders:
            images = 0
            for entry in _entries(f"{root}/{folder}"):
                if entry.name.startswith(".") or entry.name in CLUTTER:
                    continue
                if entry.is_dir():
                    below.append(f"{folder}{entry.name}/")
                    continue
                images += has_known_suffix(Path(entry.name))
                if images <= ALIKE or not has_known_suffix(Path(entry.name)):
                    given += 1
                    yield folder + entry.name
        folders = below


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as scan:
            return sorted(scan, key=lambda entry: entry.name)
    except OSError:
        return []
