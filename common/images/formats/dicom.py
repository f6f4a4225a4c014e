"""DICOM pictures: modality LUT, VOI LUT or window, MONOCHROME1, any depth, any compression."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from ...files.errors import Unusable
from .depth import scale, scale_by_bits
from .dicom_deflated import check_inflated
from .dicom_grey import present
from .dicom_pixels import Pixels, decoded, no_picture, stored_values
from .dicom_tables import palette
from .labels import Labels, labels_of

__all__ = ["labels", "read", "size", "stored_values"]
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


def read(payload: bytes, path: Path) -> np.ndarray:
    """Return the picture as a viewer would show it, bone bright, padding black.

    Raises:
        Unusable: no picture, more than one frame, or a colour space that is not read here.
    """
    dataset, pixels = _pixels(payload)
    photometric = str(dataset.get("PhotometricInterpretation") or "MONOCHROME2").strip().upper()
    if photometric == "PALETTE COLOR":
        return palette(pixels.values, dataset)
    if pixels.values.ndim == 2:
        return present(pixels, dataset, photometric)
    if photometric not in COLOURS or pixels.values.shape[2] != 3:
        stated = f"its colour space is {photometric} with {pixels.values.shape[2]} channels"
        raise Unusable(stated, "Save it as 8- or 16-bit grey, or as RGB")
    if pixels.values.dtype == np.uint8:
        return scale(pixels.values, 0.0, 2.0**pixels.bits - 1)
    return scale_by_bits(pixels.values)


def labels(payload: bytes, path: Path) -> Labels:
    """Return the stored values; neither window nor photometry apply to a mask."""
    _, pixels = _pixels(payload)
    return labels_of(pixels.values, pixels.lossy)


def size(payload: bytes, path: Path) -> tuple[int, int]:
    """Return (Rows, Columns)."""
    import pydicom

    check_inflated(payload)
    dataset = pydicom.dcmread(io.BytesIO(payload), force=True, stop_before_pixels=True)
    if "Rows" not in dataset or "Columns" not in dataset:
        raise no_picture(dataset)
    return int(dataset.Rows), int(dataset.Columns)


def _pixels(payload: bytes) -> tuple[Any, Pixels]:
    import pydicom

    check_inflated(payload)
    dataset = pydicom.dcmread(io.BytesIO(payload), force=True)
    return dataset, decoded(dataset)
