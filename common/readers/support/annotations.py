"""Masks and landmarks in the layouts that several readers take."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from .copies import digest_below
from .matching import match
from .suffixes import below, is_image
from .tables import number, read_table
from .tree import Tree

LANDMARK_COLUMNS = ("image", "landmark", "row", "col")


def masks_of(folders: Mapping[str, Path], images: Sequence[Path], bases: Sequence[Path]) -> dict[Path, dict[str, str]]:
    """Find the masks of images: image -> structure -> file.

    Args:
        folders: structure -> folder whose files are named like the images, whatever their suffix, and lie in the same
            sub-folders where names repeat.
        images: all images of the data set.
        bases: folders that sub-folders may be counted from, the root first.

    Raises:
        DatasetError: a folder is missing or holds no image, or a mask may belong to several images.
    """
    masks: dict[Path, dict[str, str]] = defaultdict(dict)
    lost: list[str] = []
    for structure, folder in folders.items():
        # Each name counts, for equal masks of several patients may be one file.
        files = [path for path in Tree(folder).paths if is_image(path)]
        if not files:
            problem = "no such folder" if not folder.is_dir() else "no mask image in it"
            raise DatasetError(folder, problem, f"The option masks gives it for the structure '{structure}'")
        by_name = {below(path, folder): path for path in files}
        found = match(by_name, images, bases, folder, suffixes=False)
        found.refuse_contrary(partial(digest_below, folder), folder)
        for image, name in found.name_of.items():
            masks[image][structure] = str(by_name[name])
        lost += found.lost
    if lost:
        lost = sorted(set(lost))
        add_notice(f"{len(lost)} masks belong to no image here ({first_few(lost)})")
    return masks


def landmarks_of(
    path: Path, images: Sequence[Path], bases: Sequence[Path]
) -> tuple[dict[Path, dict[str, tuple[float, float]]], tuple[str, ...]]:
    """Read `image,landmark,row,col` with fractions of the image's height and width.

    Args:
        path: the file; an absent one gives nothing.
        images: all images of the data set.
        bases: folders that its names may be relative to, the root first.

    Returns:
        Image -> landmark -> (row, col), and the landmarks' names in the order of the file.

    Raises:
        DatasetError: a column is missing, a value is not a fraction, or a landmark of an image has two places.
    """
    if not path.exists():
        return {}, ()
    table = read_table(path, LANDMARK_COLUMNS, LANDMARK_COLUMNS[2:])
    places: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    names: dict[str, None] = {}
    for line, image, landmark, row, col in table[list(LANDMARK_COLUMNS)].itertuples():
        try:
            place = (number(row), number(col))
        except ValueError:
            place = (-1.0, -1.0)
        if not all(0 <= value <= 1 for value in place):
            problem = f"line {line}: {image}, {landmark}: row {row!r}, col {col!r} are not fractions"
            raise DatasetError(path, problem, "Give row / height and col / width, in [0, 1]")
        if places[image].setdefault(landmark, place) != place:
            problem = f"line {line}: {image} has another place of {landmark}, {places[image][landmark]}"
            raise DatasetError(path, problem, "Keep one of them")
        names.setdefault(landmark)
    found = match(places, images, bases, path)
    for name, image in found.again.items():
        own = places[found.name_of[image]]
        for landmark, place in places[name].items():
            if own.setdefault(landmark, place) != place:
                problem = f"{name} has another place of {landmark} than {found.name_of[image]}, which is the same image"
                raise DatasetError(path, problem, "Keep one of them")
    if found.lost:
        add_notice(f"{path.name} names {len(found.lost)} images that are not here ({first_few(found.lost)})")
    return {image: places[name] for image, name in found.name_of.items()}, tuple(names)
