"""Masks and landmarks in the layouts that several readers take."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import DatasetError
from .tables import read_table, some
from .tree import all_files, images_of, stem

LANDMARK_COLUMNS = ("image", "landmark", "row", "col")


def masks_of(folders: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """Index mask files: stem of the image -> structure -> file.

    Args:
        folders: structure -> folder whose files are named like the images, whatever their suffix.

    Raises:
        DatasetError: a folder is missing or holds no image.
    """
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for structure, folder in folders.items():
        files = images_of(all_files(folder))
        if not files:
            problem = "no such folder" if not folder.is_dir() else "no mask image in it"
            raise DatasetError(folder, problem, f"The option masks gives it for the structure '{structure}'")
        for path in files:
            found[stem(path.name)][structure] = str(path)
    return found


def unmatched_masks(masks: Mapping[str, Mapping[str, str]], stems: Iterable[str]) -> list[str]:
    """Return a notice where masks belong to no image."""
    lost = sorted(set(masks) - set(stems))
    return [f"{len(lost)} masks belong to no image here ({some(lost)})"] if lost else []


def landmarks_of(path: Path) -> tuple[dict[str, dict[str, tuple[float, float]]], tuple[str, ...]]:
    """Read `image,landmark,row,col` with fractions of the image's height and width.

    Args:
        path: the file; an absent one gives nothing.

    Returns:
        File name -> landmark -> (row, col), and the landmarks' names in the order of the file.

    Raises:
        DatasetError: a column is missing, or a value is not a fraction.
    """
    if not path.exists():
        return {}, ()
    table = read_table(path, LANDMARK_COLUMNS)
    places: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    names: dict[str, None] = {}
    for image, landmark, row, col in table[list(LANDMARK_COLUMNS)].itertuples(index=False):
        try:
            place = (float(row), float(col))
        except ValueError:
            place = (-1.0, -1.0)
        if not all(0 <= value <= 1 for value in place):
            problem = f"{image}, {landmark}: row {row!r}, col {col!r} are not fractions"
            raise DatasetError(path, problem, "Give row / height and col / width, in [0, 1]")
        places[image][landmark] = place
        names.setdefault(landmark)
    return places, tuple(names)
