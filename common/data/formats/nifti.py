"""Single-slice NIfTI pictures (.nii, .nii.gz)."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np

from .depth import check_area, check_single, scale_by_bits


def read(payload: bytes, path: Path) -> np.ndarray:
    """Return the slice with rows running down the patient and columns to the patient's left.

    NIfTI stores (x, y) and says by its affine where they point; the usual display has rows towards the
    feet (or back) and columns towards the patient's left. A file whose affine is the identity was written
    by somebody who had no geometry to give: it is only transposed.
    """
    values = labels(payload, path)
    return values if values.dtype == np.uint8 else scale_by_bits(values)


def labels(payload: bytes, path: Path) -> np.ndarray:
    """Return the stored values, turned as `read` turns them."""
    image = _image(payload)
    _slice_shape(image)
    values = np.asarray(image.dataobj)
    values = values.reshape(values.shape[:2]).T
    affine = image.affine
    if affine is not None and not np.array_equal(affine, np.eye(4)):
        # +x of the affine points to the patient's left already only where it is negative (RAS axes).
        values = values[:: -1 if _towards_positive(affine, 1) else 1, :: -1 if _towards_positive(affine, 0) else 1]
    return np.ascontiguousarray(values)


def size(payload: bytes, path: Path) -> tuple[int, int]:
    """Return (H, W) from the header."""
    width, height = _slice_shape(_image(payload))
    return height, width


def _towards_positive(affine: np.ndarray, axis: int) -> bool:
    column = affine[:3, axis]
    return bool(column[np.argmax(np.abs(column))] > 0)


def _image(payload: bytes) -> Any:
    from nibabel.nifti1 import Nifti1Image
    from nibabel.nifti2 import Nifti2Image

    if payload.startswith(b"\x1f\x8b"):
        payload = gzip.decompress(payload)
    family = Nifti2Image if payload[4:6] in (b"n+", b"ni") else Nifti1Image
    return family.from_bytes(payload)


def _slice_shape(image: Any) -> tuple[int, int]:
    width, height, *further = image.shape
    check_single(int(np.prod(further)) if further else 1, "slices")
    check_area(height, width)
    return width, height
