"""Masks as publishers describe them where they give no image of one: polygons, run lengths, parts to be joined.

Their size need not be their image's: whatever reads a mask brings it to that.

Shapes: H, W of a mask; V vertices of an outline. Coordinates are (row, col).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ...files.errors import DatasetError, UnreadableImage
from ...files.stamps import stamp
from ...images.decode import image_size, read_mask

Size = tuple[int, int]


class Shape(Protocol):
    """What can be drawn."""

    def size(self, image: Path) -> Size:
        """Return (H, W) of the mask of an image; raises UnreadableImage where a file has to tell it and does not."""
        ...

    def draw(self, size: Size) -> np.ndarray:
        """Return the mask, bool (H, W)."""
        ...

    @property
    def facts(self) -> str:
        """Text that changes when another mask would be drawn."""
        ...

    @property
    def empty(self) -> bool:
        """Whether it is known to cover nothing."""
        ...


@dataclass(frozen=True)
class Polygons:
    """The union of what outlines enclose.

    A pixel belongs to an outline that encloses its centre, by the even-odd rule. The first pixel of the frame reaches
    from 0 to 1, so a box of whole numbers encloses as many pixels as its sides say.

    Args:
        outlines: of (row, col) each, three vertices or more; none is an empty mask.
        frame: (H, W) that the coordinates are pixels of; None is the image's own size.
        where: file and place in it that the outlines come from, for messages.
    """

    outlines: Sequence[Sequence[tuple[float, float]]] = ()
    frame: Size | None = None
    where: str = "outlines"

    def size(self, image: Path) -> Size:
        """See `Shape`."""
        return self.frame or image_size(image)

    def draw(self, size: Size) -> np.ndarray:
        """See `Shape`; raises DatasetError for an outline of which no part lies in the image."""
        mask = np.zeros(size, bool)
        for outline in self.outlines:
            outline_V2 = np.asarray(outline, np.float64)
            low, high = outline_V2.min(axis=0), outline_V2.max(axis=0)
            if (high <= 0).any() or (low >= size).any():
                extent = f"rows {low[0]:g} to {high[0]:g} and columns {low[1]:g} to {high[1]:g}"
                problem = f"an outline reaches over {extent}, outside the image of {size[0]} x {size[1]} pixels"
                raise DatasetError(self.where, problem, "Get the image that was annotated, or correct the outline")
            fill(mask, outline_V2)
        return mask

    @property
    def facts(self) -> str:
        """See `Shape`."""
        return json.dumps([self.outlines, self.frame])

    @property
    def empty(self) -> bool:
        """See `Shape`."""
        return not self.outlines


@dataclass(frozen=True)
class RunLengths:
    """The union of masks written as runs, columns first: gap, length, gap, length ...

    A gap counts from the end of the run before it, as in SIIM-ACR, and not from the first pixel as elsewhere on Kaggle.

    Args:
        runs: numbers of each mask; an even count.
        frame: (H, W) that they run over.
    """

    runs: Sequence[Sequence[int]]
    frame: Size

    def size(self, image: Path) -> Size:
        """See `Shape`."""
        return self.frame

    def draw(self, size: Size) -> np.ndarray:
        """See `Shape`."""
        columns = np.zeros(size[0] * size[1], bool)
        for numbers in self.runs:
            ends = np.cumsum(numbers)
            for start, end in zip(ends[::2], ends[1::2], strict=True):
                columns[start:end] = True
        return columns.reshape(size[1], size[0]).T

    @property
    def facts(self) -> str:
        """See `Shape`."""
        return json.dumps([self.runs, self.frame])

    @property
    def empty(self) -> bool:
        """See `Shape`."""
        return not self.runs


@dataclass(frozen=True)
class MaskFiles:
    """The union of mask files of one size.

    Args:
        paths: of the files, one or more; all but 0 is structure.
    """

    paths: Sequence[Path]

    def size(self, image: Path) -> Size:
        """See `Shape`."""
        return image_size(self.paths[0])

    def draw(self, size: Size) -> np.ndarray:
        """See `Shape`; raises UnreadableImage for a file that is no mask, or of another size than the first."""
        mask = np.zeros(size, bool)
        for path in self.paths:
            part = read_mask(path)
            if part.shape != size:
                stated = f"it has {part.shape[0]} x {part.shape[1]} pixels, and {self.paths[0]} {size[0]} x {size[1]}"
                raise UnreadableImage(path, stated, "Get both masks of this image")
            mask |= part == 1
        return mask

    @property
    def facts(self) -> str:
        """See `Shape`."""
        return json.dumps([[path.name, stamp(path)] for path in self.paths])

    @property
    def empty(self) -> bool:
        """See `Shape`."""
        return False


def fill(mask: np.ndarray, outline_V2: np.ndarray) -> None:
    """Add to a mask the pixels whose centres an outline encloses.

    Along each row the inside changes at every edge that crosses it. An edge reaches from its upper end to just before
    its lower one, so that one which meets a vertex is crossed once. It takes a sixth of scikit-image's time.

    Args:
        mask: bool (H, W), changed in place.
        outline_V2: vertices (row, col) in pixels; the last is joined to the first, and parts may lie outside.
    """
    height, width = mask.shape
    rows, cols = outline_V2.T
    next_rows, next_cols = np.roll(rows, -1), np.roll(cols, -1)
    first = np.ceil(np.minimum(rows, next_rows) - 0.5).clip(0, height).astype(int)
    end = np.ceil(np.maximum(rows, next_rows) - 0.5).clip(0, height).astype(int)
    top, bottom = first.min(), end.max()
    counts = end - first
    edge = np.repeat(np.arange(len(rows)), counts)
    row = first[edge] + np.arange(len(edge)) - np.repeat(counts.cumsum() - counts, counts)
    slope = (next_cols - cols)[edge] / (next_rows - rows)[edge]
    crossing = cols[edge] + (row + 0.5 - rows[edge]) * slope
    col = np.ceil(crossing - 0.5).clip(0, width).astype(int)
    crossings = np.zeros((bottom - top, width + 1), np.uint8)
    np.add.at(crossings, (row - top, col), 1)
    mask[top:bottom] |= (np.cumsum(crossings, axis=1, dtype=np.uint8)[:, :width] & 1).astype(bool)
