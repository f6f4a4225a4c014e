"""Which parts of an image are items of their own: around findings, around structures, or anywhere.

Edges are (top, left, bottom, right) as fractions of the image's height and width.
"""

import zlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePath

import numpy as np
import torch
from scipy import ndimage

from ..records import Record
from ..sampling import generator_for
from .decode import read_mask

Edges = tuple[float, float, float, float]
WHOLE: Edges = (0.0, 0.0, 1.0, 1.0)


class PatchRule:
    """Lists the patches of an image, the same ones every time.

    How LeADER's patches were cut is nowhere stated. Here a box is enlarged about its centre to a square and clipped at
    the image's border, and an image may have patches anywhere besides, of the size of one of its boxes (methods D8).

    Args:
        boxes: cut around the record's boxes.
        findings: only around boxes of these findings; None takes all.
        structures: cut around each connected part of these masks.
        foreground: see `read_mask`.
        anywhere: number of patches at random places, per image.
        enlarge: side of the square over the longer side of the box, 1 or more.
        side: range of a random patch's side, as a share of the image's shorter one, where the image has no box.
        seed: of the random places; they depend on it and on the file's name alone.

    Raises:
        ValueError: nothing to cut, or a number outside its bounds.
    """

    def __init__(
        self,
        boxes: bool = True,
        findings: Collection[str] | None = None,
        structures: Sequence[str] = (),
        foreground: int | Collection[int] | None = None,
        anywhere: int = 0,
        enlarge: float = 3.0,
        side: tuple[float, float] = (0.25, 0.5),
        seed: int = 0,
    ):
        if not (boxes or structures or anywhere):
            raise ValueError(
                "patch_rule cuts nothing: set boxes to true, name structures, give anywhere a number, or disable the "
                "rule (`patch_rule#_disabled_: true`)."
            )
        if enlarge < 1 or anywhere < 0 or not 0 < side[0] <= side[1] <= 1:
            raise ValueError(
                f"patch_rule has enlarge {enlarge}, anywhere {anywhere} and side {tuple(side)}; enlarge must be 1 or "
                "more, anywhere 0 or more, and side two ordered shares in (0, 1]."
            )
        self.boxes, self.findings, self.structures = boxes, findings, tuple(structures)
        self.foreground, self.anywhere, self.enlarge = foreground, anywhere, enlarge
        self.side, self.seed = side, seed

    def patches(self, record: Record, size: tuple[int, int]) -> list[Edges]:
        """Patches of one image; equal ones are listed once.

        Args:
            record: the image.
            size: its original (height, width) in pixels: a square is square there.
        """
        found = list(self._found(record))
        cut = [enlarged(edges, size, self.enlarge) for edges in found]
        return list(dict.fromkeys([*cut, *self._random(record, size, found)]))

    def boxes_of(self, record: Record) -> list[Edges]:
        """The boxes that are cut around, as the record has them."""
        boxes = record.boxes if self.boxes else ()
        wanted = [box for box in boxes if self.findings is None or box.finding in self.findings]
        return [(box.top, box.left, box.bottom, box.right) for box in wanted]

    def _found(self, record: Record) -> Iterator[Edges]:
        yield from self.boxes_of(record)
        for structure in self.structures:
            if structure in record.masks:
                yield from bounding_boxes(read_mask(record.masks[structure], self.foreground))

    def _random(self, record: Record, size: tuple[int, int], found: list[Edges]) -> Iterator[Edges]:
        height, width = size
        name = zlib.crc32(PurePath(record.image).name.encode())
        for number in range(self.anywhere):
            draws = torch.rand(3, generator=generator_for(self.seed, number, name), dtype=torch.float64).tolist()
            side = min(size) * (self.side[0] + (self.side[1] - self.side[0]) * draws[0])
            if found:
                side = min(*size, square_side(found[int(draws[0] * len(found))], size, self.enlarge))
            top, left = (height - side) * draws[1], (width - side) * draws[2]
            yield _fractions((top, left, top + side, left + side), size)


def enlarged(edges: Edges, size: tuple[int, int], factor: float) -> Edges:
    """The square about a box's centre, `factor` times its longer side, clipped at the image's border.

    Args:
        edges: of the box.
        size: (height, width) of the image in pixels.
        factor: 1 or more.
    """
    height, width = size
    top, left, bottom, right = edges
    half = square_side(edges, size, factor) / 2
    row, col = (top + bottom) / 2 * height, (left + right) / 2 * width
    square = (max(row - half, 0), max(col - half, 0), min(row + half, height), min(col + half, width))
    return _fractions(square, size)


def square_side(edges: Edges, size: tuple[int, int], factor: float) -> float:
    """Side in pixels of the square that `enlarged` makes, before it is clipped."""
    top, left, bottom, right = edges
    return factor * max((bottom - top) * size[0], (right - left) * size[1])


def bounding_boxes(mask_HW: np.ndarray) -> list[Edges]:
    """Box around each connected part of the pixels that are 1, in reading order of their corners."""
    parts, _ = ndimage.label(mask_HW == 1, structure=np.ones((3, 3)))
    size = mask_HW.shape[0], mask_HW.shape[1]
    return [
        _fractions((rows.start, cols.start, rows.stop, cols.stop), size)
        for rows, cols in sorted(ndimage.find_objects(parts), key=lambda part: (part[0].start, part[1].start))
    ]


def _fractions(edges: tuple[float, float, float, float], size: tuple[int, int]) -> Edges:
    top, left, bottom, right = edges
    return top / size[0], left / size[1], bottom / size[0], right / size[1]
