"""Which boxes around findings an image has, by a file that may come with it."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...files.errors import DatasetError, UnreadableImage
from ...files.notices import add_notice, first_few
from ...images.decode import camera_orientation, image_size
from ...records import Box
from .matching import match
from .tables import number

Edges = tuple[float, float, float, float]


@dataclass(frozen=True)
class Rectangle:
    """One annotation.

    Args:
        finding: its name.
        edges: top, left, bottom, right in pixels of `size`.
        where: place in the file, for messages.
        size: (height, width) of the frame where the file states it; None for the image's own.
    """

    finding: str
    edges: Edges
    where: str
    size: tuple[int, int] | None = None


class Boxes:
    """The annotations of one file, looked up by an image's path.

    Args:
        path: the file.
        rectangles: image as the file names it -> its annotations; images without any are named, too.
        images: all images of the data set.
        bases: folders that its names may be relative to, the root first.

    Raises:
        DatasetError: the file fits no image at all, or a name may mean several.
    """

    def __init__(
        self,
        path: Path,
        rectangles: Mapping[str, Sequence[Rectangle]],
        images: Sequence[Path],
        bases: Sequence[Path],
    ):
        self.path, self.rectangles = path, dict(rectangles)
        found = match(rectangles, images, bases, path)
        if not found.name_of:
            problem = f"none of its images ({first_few(rectangles)}) is in {bases[-1]}"
            raise DatasetError(path, problem, "Check the options boxes, polygons and images")
        self._name_of = found.name_of
        further: dict[str, list[str]] = defaultdict(list)
        for name, image in found.again.items():
            further[found.name_of[image]].append(name)
        self.rectangles |= {
            name: [*rectangles[name], *(one for other in others for one in rectangles[other])]
            for name, others in further.items()
        }
        if found.lost:
            add_notice(f"{path.name} names {len(found.lost)} images that are not here ({first_few(found.lost)})")
        self._unlisted: list[str] = []
        self._unreadable: list[str] = []
        self._turned: list[str] = []

    def lists(self, image: Path) -> bool:
        """Whether the file names an image."""
        return image in self._name_of

    def of(self, image: Path) -> tuple[Box, ...]:
        """Boxes of an image in fractions; the header of its file is read where it has any.

        They count in the image as it is shown, upright: a file whose camera was held otherwise is named. An image whose
        header cannot be read has none: a store leaves it out.

        Raises:
            DatasetError: a box that has no part inside the image.
        """
        name = self._name_of.get(image)
        if name is None:
            self._unlisted.append(image.name)
            return ()
        rectangles = self.rectangles[name]
        try:
            own = image_size(image) if any(rectangle.size is None for rectangle in rectangles) else (0, 0)
            if rectangles and camera_orientation(image) > 1:
                self._turned.append(image.name)
        except UnreadableImage:
            self._unreadable.append(image.name)
            return ()
        return tuple(box_in(rectangle, rectangle.size or own, name, self.path) for rectangle in rectangles)

    def add_notices(self) -> None:
        """Say which images had none, once all were asked for."""
        for names, what in (
            (self._unlisted, f"are not in {self.path.name}"),
            (self._unreadable, f"cannot be read and lose their boxes of {self.path.name}"),
            (
                self._turned,
                f"are turned upright, as their camera says; so must be their boxes in {self.path.name}",
            ),
        ):
            if names:
                add_notice(f"{len(names)} images {what} ({first_few(names)})")


def box_in(rectangle: Rectangle, size: tuple[int, int], name: str, path: Path) -> Box:
    """Return a rectangle in fractions of its frame, without what reaches beyond.

    Args:
        rectangle: in pixels.
        size: (height, width) of the frame.
        name: of the image, for messages.
        path: of the file that holds it, for messages.

    Raises:
        DatasetError: no part of it is inside.
    """
    if min(size) < 1 or not all(map(math.isfinite, rectangle.edges)):
        problem = f"{rectangle.where}, {name}: {rectangle.edges} in {size[0]} x {size[1]} pixels is no box"
        raise DatasetError(path, problem, "Correct or remove it")
    fractions = [edge / size[number % 2] for number, edge in enumerate(rectangle.edges)]
    top, left, bottom, right = (min(max(edge, 0.0), 1.0) for edge in fractions)
    if not (top < bottom and left < right):
        problem = f"{rectangle.where}, {name}: the box {rectangle.edges} (top, left, bottom, right) "
        problem += f"has no part inside the image of {size[0]} x {size[1]} pixels"
        raise DatasetError(path, problem, "Boxes are in pixels of the original image; correct or remove it")
    return Box(rectangle.finding, top, left, bottom, right)


def box_in_frame(finding: str, texts: Sequence[str], frame: float, where: str, path: Path) -> Box:
    """Return a box whose frame is the same for all images of a data set.

    Args:
        finding: its name.
        texts: x, y, width and height in pixels of the frame.
        frame: its height and width.
        where: line and image, for messages.
        path: of the table.

    Raises:
        DatasetError: these are no numbers, or the box has no part inside the frame.
    """
    try:
        x, y, width, height = (number(text) / frame for text in texts)
    except ValueError:
        x = y = width = height = math.nan
    edges = [min(max(edge, 0.0), 1.0) for edge in (y, x, y + height, x + width)]
    if not (edges[0] < edges[2] and edges[1] < edges[3]):
        problem = f"{where}: {list(texts)} are not x, y, width, height of a box inside {frame:.0f} x {frame:.0f} pixels"
        raise DatasetError(path, problem, "Get the publisher's file again")
    return Box(finding, *edges)


def listed(images: Sequence[Path], files: Sequence[Boxes]) -> list[Path]:
    """Keep the images that one of the files names.

    Raises:
        DatasetError: no file.
    """
    if not files:
        raise DatasetError("listed_only", "neither boxes nor polygons is given", "Name the file that lists the images")
    return [image for image in images if any(file.lists(image) for file in files)]
