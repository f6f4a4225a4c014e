"""How well a heat map shows a box.

Shapes: H W pixels, 4 (top, left, bottom, right).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

CUT = 80 / 255  # of the released code, on a map from 0 to 1
Map = NDArray[np.float32]
Edges = Sequence[float]


def points_inside(map_HW: Map, box: Edges) -> bool:
    """The pointing game: whether the map's highest value lies in the box; a map of zeros points nowhere.

    Args:
        map_HW: from 0 to 1.
        box: in pixels, half open; a pixel is inside where its centre is.
    """
    return bool(map_HW.max() > 0 and (map_HW[inside(map_HW.shape, box)] == map_HW.max()).any())


def energy_inside(map_HW: Map, box: Edges) -> float:
    """Share of the map's sum that lies in the box; nan for a map of zeros."""
    total = float(map_HW.sum(dtype=np.float64))
    return float(map_HW[inside(map_HW.shape, box)].sum(dtype=np.float64)) / total if total > 0 else float("nan")


def rectangle(map_HW: Map, cut: float = CUT) -> Edges | None:
    """Around the largest connected part of the map above `cut`, neighbours by edge or corner; None where nothing is."""
    parts, count = ndimage.label(map_HW > cut, structure=np.ones((3, 3)))
    if not count:
        return None
    largest = int(np.bincount(parts.ravel())[1:].argmax()) + 1
    rows, columns = ndimage.find_objects(parts)[largest - 1]
    return float(rows.start), float(columns.start), float(rows.stop), float(columns.stop)


def overlap(one: Edges | None, other: Edges) -> float:
    """Intersection over union of two rectangles; 0 where there is none."""
    if one is None:
        return 0.0
    rows = min(one[2], other[2]) - max(one[0], other[0])
    columns = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0.0, rows) * max(0.0, columns)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)


def inside(shape: tuple[int, ...], box: Edges) -> NDArray[np.bool_]:
    """Which pixels (H, W) have their centres in the box."""
    rows, columns = (np.arange(extent) + 0.5 for extent in shape)
    in_rows, in_columns = (rows >= box[0]) & (rows < box[2]), (columns >= box[1]) & (columns < box[3])
    return in_rows[:, None] & in_columns[None]
