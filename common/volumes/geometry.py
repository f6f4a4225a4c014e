"""Brings an array of any orientation into the one that all code here uses.

An affine here maps an index of the array, in the order of its axes, to mm in (z, y, x) order: z towards the
head, y towards the back, x towards the patient's left.
"""

import itertools

import numpy as np

from ..files.errors import Unusable
from .volume import Grid

TOLERATED = 0.5  # voxels that straightening may move a corner without resampling
FLIP_RAS = np.array([[0.0, 0, 1, 0], [0, -1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]])  # NIfTI's x, y, z to ours
FLIP_LPS = np.array([[0.0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])  # DICOM's and ITK's x, y, z to ours


def canonical(values: np.ndarray, affine: np.ndarray, order: int, outside: float) -> tuple[np.ndarray, Grid]:
    """Turn the axes to (head, back, left) by transposing and flipping, and straighten what is tilted.

    A grid at an angle to the patient's axes, or sheared as a CT with a tilted gantry is, would be displaced by
    more than half a voxel if its axes were taken for the patient's; it is resampled to a straight grid of the
    same spacing that covers it.

    Args:
        values: three axes, in whatever order.
        affine: (4, 4), see the module.
        order: of interpolation where it is resampled: 1 for brightness, 0 for labels.
        outside: value of voxels that the file does not cover; for brightness also what lies below it becomes.

    Returns:
        (D, H, W), of the type of `values`, contiguous; and its grid.

    Raises:
        Unusable: a spacing that is missing, zero or not a number, or axes that span no volume.
    """
    from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

    if values.ndim != 3 or min(values.shape) < 2:
        stated = " x ".join(map(str, values.shape))
        raise Unusable(f"its array of {stated} is no volume", "A volume has three axes with two or more voxels each")
    check_affine(affine)
    turns = io_orientation(affine)
    affine = affine @ inv_ornt_aff(turns, values.shape)
    values = np.ascontiguousarray(apply_orientation(values, turns))
    axes, shape = affine[:3, :3], np.array(values.shape)
    spacing = np.linalg.norm(axes, axis=0)
    middle = (shape - 1) / 2
    centre = axes @ middle + affine[:3, 3]
    corners = np.array(list(itertools.product(*((-half, half) for half in middle))))
    displaced = np.abs(corners @ (axes - np.diag(spacing)).T) / spacing
    if displaced.max() > TOLERATED:
        values = _straighten(values, axes, affine[:3, 3], spacing, centre, corners, order, outside)
    origin = centre - spacing * (np.array(values.shape) - 1) / 2
    depth, height, width = values.shape
    return values, Grid((depth, height, width), _triple(spacing), _triple(origin))


def check_affine(affine: np.ndarray) -> None:
    """Refuse an affine that gives no millimetres.

    Raises:
        Unusable: naming the spacing along the file's own axes.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or not (spacing > 0).all():
        stated = ", ".join(f"{value:g}" for value in spacing)
        remedy = "Its spacing must be above 0 along every axis: convert it from its DICOM series again"
        raise Unusable(f"it has no usable spacing ({stated} mm along its axes)", remedy)
    if abs(np.linalg.det(affine[:3, :3] / spacing)) < 1e-3:
        raise Unusable("its axes lie in one plane", "Its orientation is damaged: convert its DICOM series again")


def _straighten(
    values: np.ndarray,
    axes: np.ndarray,
    origin: np.ndarray,
    spacing: np.ndarray,
    centre: np.ndarray,
    corners: np.ndarray,
    order: int,
    outside: float,
) -> np.ndarray:
    from scipy.ndimage import affine_transform

    extent = np.ptp(corners @ axes.T, axis=0)
    shape = np.ceil(extent / spacing - 1e-6).astype(int) + 1
    start = centre - spacing * (shape - 1) / 2
    inverse = np.linalg.inv(axes)
    if order == 1:
        values = np.maximum(values, values.dtype.type(outside))  # a mean with padding (-8192) is no tissue's value
    # A voxel outside the tilted block belongs to no part of the file: a mean with the edge would invent one.
    return affine_transform(
        *(values, inverse @ np.diag(spacing), inverse @ (start - origin), tuple(shape)),
        output=values.dtype,
        order=order,
        mode="constant",
        cval=outside,
    )


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third
