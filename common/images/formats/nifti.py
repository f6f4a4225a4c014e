"""Single-slice NIfTI pictures (.nii, .nii.gz)."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from ...files.bounded import gunzip_start
from .depth import check_area, check_single, notice, scale_by_bits
from .labels import Labels, labels_of
from .nifti_bytes import GZIP, HEADER_BYTES, nifti_bytes, raw_header


def read(payload: bytes, path: Path) -> np.ndarray:
    """Return the slice with rows running down the patient and columns to the patient's left.

    NIfTI stores (x, y) and says by its affine where they point; the usual display has rows towards the
    feet (or back) and columns towards the patient's left. A file without geometry, see `geometry`, is only
    transposed.
    """
    return scale_by_bits(_values(payload))


def labels(payload: bytes, path: Path) -> Labels:
    """Return the stored values, turned as `read` turns them."""
    return labels_of(_values(payload))


def size(payload: bytes, path: Path) -> tuple[int, int]:
    """Return (H, W) from the header."""
    return _shape(payload)


def check_slice(header: Any) -> tuple[int, int]:
    """Return (H, W) of the one slice that a header of nibabel's describes.

    Raises:
        Unusable: several slices, or a side without length.
    """
    width, height, *further = header.get_data_shape()
    check_single(math.prod(further), "slices")
    check_area(height, width, header.get_data_dtype().itemsize)
    return height, width


def stored_slice(image: Any) -> np.ndarray:
    """Return the values of a nibabel image as rows and columns, not turned."""
    values = np.asarray(image.dataobj)
    return values.reshape(values.shape[:2]).T


def geometry(image: Any) -> np.ndarray | None:
    """Return a nibabel image's affine to mm, (4, 4); None where whoever wrote the file had no geometry to give.

    That is where both codes say unknown, and where the axes are the identity's, be they spaced, and begin at 0: a
    picture that was cut from a volume does not. One that begins elsewhere is turned, and said.
    """
    header, affine = image.header, image.affine
    if int(header["sform_code"]) <= 0 and int(header["qform_code"]) <= 0:
        return None
    axes, origin = affine[:3, :3], affine[:3, 3]
    if not np.allclose(axes, np.diag(np.abs(np.diagonal(axes)))):
        return affine
    if not origin.any():
        return None
    stated = f"its axes are the identity's and begin at {tuple(np.round(origin, 3).tolist())} mm"
    notice(f"{stated}: it is turned as they say, by 180 degrees; beginning at 0 they would be taken for no geometry")
    return affine


def oriented(values: np.ndarray, affine: np.ndarray | None) -> np.ndarray:
    """Turn rows and columns as they are displayed.

    Args:
        values: (H, W).
        affine: (4, 4) to mm; None is no geometry.
    """
    if affine is not None:
        # +x of the affine points to the patient's left already only where it is negative (RAS axes).
        values = values[:: -1 if _towards_positive(affine, 1) else 1, :: -1 if _towards_positive(affine, 0) else 1]
    return np.ascontiguousarray(values)


def _values(payload: bytes) -> np.ndarray:
    from nibabel.nifti1 import Nifti1Image
    from nibabel.nifti2 import Nifti2Image

    _shape(payload)  # refuses before anything is decompressed
    content = nifti_bytes(payload)
    family = Nifti2Image if content[4:6] in (b"n+", b"ni") else Nifti1Image
    image = family.from_bytes(content)
    return oriented(stored_slice(image), geometry(image))


def _shape(payload: bytes) -> tuple[int, int]:
    start = gunzip_start(payload, HEADER_BYTES) if payload.startswith(GZIP) else payload
    return check_slice(raw_header(start))


def _towards_positive(affine: np.ndarray, axis: int) -> bool:
    column = affine[:3, axis]
    return bool(column[np.argmax(np.abs(column))] > 0)
