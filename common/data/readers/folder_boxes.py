"""Which boxes around findings an image of a plain folder has, by the files that may come with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...records import Box
from ..decode import image_size
from ..errors import DatasetError, UnreadableImage
from .tables import some
from .tree import index_names, look_up

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
        bases: folders that its names may be relative to.
    """

    def __init__(self, path: Path, rectangles: Mapping[str, Sequence[Rectangle]], bases: Sequence[Path]):
        self.path, self.rectangles, self.bases = path, rectangles, bases
        self._index = index_names(rectangles)
        self._found: set[str] = set()
        self._unlisted: list[str] = []
        self._unreadable: list[str] = []

    def lists(self, image: Path) -> bool:
        """Whether the file names an image."""
        return look_up(self._index, image, *self.bases) is not None

    def of(self, image: Path) -> tuple[Box, ...]:
        """Boxes of an image in fractions; the header of its file is read where it has any.

        An image whose header cannot be read has none: a store leaves it out.

        Raises:
            DatasetError: a box that has no part inside the image.
        """
        name = look_up(self._index, image, *self.bases)
        if name is None:
            self._unlisted.append(image.name)
            return ()
        self._found.add(name)
        rectangles = self.rectangles[name]
        try:
            own = image_size(image) if any(rectangle.size is None for rectangle in rectangles) else (0, 0)
        except UnreadableImage:
            self._unreadable.append(image.name)
            return ()
        return tuple(self._box(rectangle, name, rectangle.size or own) for rectangle in rectangles)

    def review(self) -> list[str]:
        """Say what did not fit.

        Raises:
            DatasetError: the file fits no image at all.
        """
        if not self._found:
            problem = f"none of its images ({some(self.rectangles)}) is in {self.bases[-1]}"
            raise DatasetError(self.path, problem, "Check the options boxes, polygons and images")
        lost = [name for name in self.rectangles if name not in self._found]
        notices = [f"{self.path.name} names {len(lost)} images that are not here ({some(lost)})"] * bool(lost)
        for names, what in (
            (self._unlisted, f"are not in {self.path.name}"),
            (self._unreadable, f"cannot be read and lose their boxes of {self.path.name}"),
        ):
            notices += [f"{len(names)} images {what} ({some(names)})"] * bool(names)
        return notices

    def _box(self, rectangle: Rectangle, name: str, size: tuple[int, int]) -> Box:
        fractions = [edge / size[number % 2] for number, edge in enumerate(rectangle.edges)]
        top, left, bottom, right = (min(max(edge, 0.0), 1.0) for edge in fractions)
        if not (top < bottom and left < right):
            problem = f"{rectangle.where}, {name}: the box {rectangle.edges} (top, left, bottom, right) "
            problem += f"has no part inside the image of {size[0]} x {size[1]} pixels"
            raise DatasetError(self.path, problem, "Boxes are in pixels of the original image; correct or remove it")
        return Box(rectangle.finding, top, left, bottom, right)


def listed(images: Sequence[Path], files: Sequence[Boxes]) -> list[Path]:
    """Keep the images that one of the files names.

    Raises:
        DatasetError: no file, or none that names any of the images.
    """
    if not files:
        raise DatasetError("listed_only", "neither boxes nor polygons is given", "Name the file that lists the images")
    kept = [image for image in images if any(file.lists(image) for file in files)]
    if not kept:
        for file in files:
            file.review()
    return kept
