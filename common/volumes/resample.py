"""Resampling, the body's box, windows and crops: the deterministic arithmetic of preparing a volume."""

from collections.abc import Sequence

import numpy as np

from ..files.errors import Unusable
from .hounsfield import AIR
from .plausible import BODY
from .volume import Grid

STRIDE = 2  # voxels looked at along each axis for the body's box: an outline needs no more
MOST_HOUNSFIELD = int(np.iinfo(np.int16).max)


def resampled_grid(grid: Grid, spacing: Sequence[float]) -> Grid:
    """Return the grid of another spacing with the same centre and, to half a voxel, the same extent.

    Args:
        grid: of the volume.
        spacing: mm, (D, H, W), each above 0.
    """
    old, new = np.array(grid.spacing), np.array(spacing, dtype=float)
    shape = np.maximum(np.rint(np.array(grid.shape) * old / new), 1).astype(int)
    centre = np.array(grid.origin) + old * (np.array(grid.shape) - 1) / 2
    depth, height, width = (int(length) for length in shape)
    z, y, x = (float(value) for value in centre - new * (shape - 1) / 2)
    return Grid((depth, height, width), (float(new[0]), float(new[1]), float(new[2])), (z, y, x))


def resample(values: np.ndarray, grid: Grid, onto: Grid, order: int) -> np.ndarray:
    """Interpolate at the voxels of another grid with the same axes; beyond the first and last voxel they go on.

    Args:
        values: (D, H, W); Hounsfield units for order 1, labels for order 0.
        grid: of `values`.
        onto: of the result.
        order: 1 (trilinear) or 0 (nearest).

    Returns:
        (D, H, W) on `onto`: int16 for order 1, rounded, and the type of `values` for order 0.

    Source: methods, table "Preprocessing": trilinear for brightness, nearest for masks, no smoothing before.
    """
    from scipy.ndimage import affine_transform

    if order == 1:
        # Below air lies padding (-8192, -2000): a mean with it would make a rim that is no tissue.
        values = np.clip(values, int(AIR), MOST_HOUNSFIELD)
    if onto.matches(grid):
        return np.rint(values).astype(np.int16) if order == 1 else values
    old = np.array(grid.spacing)
    step, offset = np.array(onto.spacing) / old, (np.array(onto.origin) - np.array(grid.origin)) / old
    output = np.int16 if order == 1 else values.dtype
    return affine_transform(values, step, offset, onto.shape, output, order, mode="nearest")


def body_box(hounsfield: np.ndarray, margin: Sequence[int]) -> tuple[slice, slice, slice]:
    """Return the box of the largest connected thing that is no air, which is the patient and not the table.

    Args:
        hounsfield: (D, H, W), Hounsfield units.
        margin: voxels to leave around it, (D, H, W).

    Raises:
        Unusable: nothing but air.
    """
    from scipy.ndimage import find_objects, label

    parts, count = label(hounsfield[::STRIDE, ::STRIDE, ::STRIDE] > BODY)
    if count == 0:
        raise Unusable("it shows only air after resampling", "Leave it out")
    largest = int(np.argmax(np.bincount(parts.reshape(-1))[1:])) + 1
    box = find_objects(parts, max_label=largest)[largest - 1]
    depth, height, width = (
        slice(max(side.start * STRIDE - extra, 0), min((side.stop - 1) * STRIDE + STRIDE + extra, length))
        for side, extra, length in zip(box, margin, hounsfield.shape, strict=True)
    )
    return depth, height, width


def scaled(hounsfield: np.ndarray, low: float, high: float) -> np.ndarray:
    """Clip to [low, high] and map that to [-1, 1].

    Args:
        hounsfield: Hounsfield units, any shape.
        low: becomes -1.
        high: becomes 1; above `low`.

    Returns:
        float32, its own memory.
    """
    slope = 2 / (high - low)
    # Three passes over a crop, and clipped last: what lies below the window is -1 to the last bit.
    values = np.multiply(hounsfield, np.float32(slope), dtype=np.float32)
    values -= np.float32(low * slope + 1)
    return np.clip(values, -1, 1, out=values)


def cut(values: np.ndarray, start: Sequence[int], size: Sequence[int], outside: float) -> np.ndarray:
    """Copy a box out of a volume; it may reach beyond.

    Args:
        values: (D, H, W), in memory or mapped; only the pages of the box are read.
        start: of the box, (D, H, W); may be negative.
        size: of the box.
        outside: value where the volume has none.
    """
    low = [max(first, 0) for first in start]
    high = [min(first + length, whole) for first, length, whole in zip(start, size, values.shape, strict=True)]
    box = np.full(tuple(size), outside, dtype=values.dtype)
    if all(stop > first for first, stop in zip(low, high, strict=True)):
        into = tuple(slice(a - first, b - first) for a, b, first in zip(low, high, start, strict=True))
        box[into] = values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return box
