"""Where the voxels of a NIfTI file lie: of its two affines and its spacing the one to use, and whether they agree.

Source: nifti1.h, "3D image (volume) orientation and location in space". Its method 3 (sform) comes before method 2
(qform), as in nibabel; method 1 (spacing alone) knows no left and right.
"""

import itertools
from typing import Any

import numpy as np

from ..files.errors import Unusable
from .doubts import doubt
from .geometry import FLIP_RAS, TOLERATED, check_affine
from .plausible_size import check_voxels

MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # mm per unit of length by its code; 0 says nothing and is mm everywhere
UNITS = {0: "none, taken for mm", 1: "metres", 2: "mm", 3: "microns"}
UNIT_BITS = 0b111  # of `xyzt_units`; the others are the unit of time
SAME_SPACING = 0.01  # of a spacing: what rounding leaves far below
SHEARED = 1e-3  # cosine between two axes

CHOICE = "If the other is right, set the code of this one to 0 and save the file"


def affine_of(image: Any, raw: Any) -> np.ndarray:
    """Return the affine of a file, see `geometry`, and say where its header has two that differ.

    Args:
        image: nibabel's, whose header has been mended.
        raw: the header as it was written.

    Raises:
        Unusable: no orientation, no spacing, or two that contradict each other.
    """
    # nibabel takes codes that it does not know for 0.
    sform_code, qform_code = int(image.header["sform_code"]), int(image.header["qform_code"])
    pixdim = np.asarray(raw["pixdim"][1:4], dtype=float)
    if sform_code == 0:
        if qform_code == 0:
            problem = "its header gives no orientation (qform and sform codes are 0)"
            raise Unusable(problem, "Left and right cannot be told: convert it from its DICOM series again")
        check_affine(np.diag([*pixdim, 1.0]))
    else:
        check_affine(image.affine)
        qform = _qform(image, pixdim) if qform_code else None
        if qform is not None:
            _check_both(image.affine, qform, image.shape[:3], sform_code == qform_code)
        else:
            _check_spacing(np.linalg.norm(image.affine[:3, :3], axis=0), pixdim)
    unit = int(raw["xyzt_units"]) & UNIT_BITS
    if unit not in MM:
        doubt(f"its unit of length has the code {unit}, which NIfTI does not know; millimetres are assumed")
    affine = FLIP_RAS @ np.diag([*[MM.get(unit, 1.0)] * 3, 1.0]) @ image.affine
    check_voxels(affine, image.shape, f"{UNITS.get(unit, 'taken for mm')}: {unit} in xyzt_units")
    return affine


def _qform(image: Any, pixdim: np.ndarray) -> np.ndarray | None:
    """The second affine; None where its numbers give none, whatever its code says."""
    from nibabel.spatialimages import HeaderDataError

    try:
        found = image.header.get_qform()
    except (ValueError, HeaderDataError):
        found = None
    if found is None or not (np.isfinite(found).all() and (pixdim > 0).all()):
        doubt("its qform is damaged; the sform is used")
        return None
    return found


def _check_both(sform: np.ndarray, qform: np.ndarray, shape: tuple[int, ...], one_space: bool) -> None:
    spacing = np.linalg.norm(sform[:3, :3], axis=0)
    difference = sform - qform
    turn = np.column_stack([difference[:, :3], np.zeros(4)])
    apart, turned = (_displaced(move, shape, spacing) for move in (difference, turn))
    if apart <= TOLERATED:
        return
    stated = f"its sform and its qform differ: {_told(sform)} against {_told(qform)}"
    mirrored = np.linalg.det(sform[:3, :3]) * np.linalg.det(qform[:3, :3]) < 0
    # A qform cannot express the shear of a tilted gantry, and spaces of other codes may lie elsewhere.
    if mirrored or (one_space and turned > TOLERATED and not _is_sheared(sform)):
        raise Unusable(stated, "Set the code of the wrong one to 0, or convert it from its DICOM series again")
    doubt(f"{stated}; the sform is used. {CHOICE}")


def _check_spacing(spacing: np.ndarray, pixdim: np.ndarray) -> None:
    told = np.isfinite(pixdim) & (pixdim > 0)
    if (np.abs(pixdim / spacing - 1) > SAME_SPACING)[told].any():
        ours, other = (" x ".join(f"{value:g}" for value in values) for values in (spacing, pixdim))
        doubt(
            f"its sform has voxels of {ours} mm and its pixdim of {other} mm; the sform is used. Check which is right"
        )


def _displaced(difference: np.ndarray, shape: tuple[int, ...], spacing: np.ndarray) -> float:
    """How many voxels a corner of the volume moves."""
    corners = np.array([[*corner, 1.0] for corner in itertools.product(*((0, side - 1) for side in shape))])
    return float(np.abs(corners @ difference[:3].T).max() / spacing.min())


def _is_sheared(affine: np.ndarray) -> bool:
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() > SHEARED)


def _told(affine: np.ndarray) -> str:
    from nibabel.orientations import aff2axcodes

    spacing = " x ".join(f"{value:g}" for value in np.linalg.norm(affine[:3, :3], axis=0))
    origin = ", ".join(f"{value:g}" for value in affine[:3, 3])
    return f"{spacing} mm towards {''.join(aff2axcodes(affine))} from ({origin})"
