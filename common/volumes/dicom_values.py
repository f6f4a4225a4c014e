"""Hounsfield units of one CT slice in DICOM: its own rescaling, and air where it is padded."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..files.errors import DataNotice, Unusable
from ..images.formats.dicom import stored_values
from .doubts import doubt
from .hounsfield import AIR, hounsfield

LEAST_TISSUE = -1000.0  # Hounsfield units from which on a body has values; padding should lie below
MOST_TISSUE = 3071.0  # the end of 12 bits
# DICOM PS3.3 C.11.1.1.2: what the numbers are after rescaling, where it is not Hounsfield units.
OTHER_QUANTITIES = {
    "OD": "optical density",
    "PCT": "percent",
    "MGML": "mg/ml",
    "Z_EFF": "effective atomic number",
    "ED": "electron density",
    "EDW": "electron density normalised by water",
}
LOSSY = "01"
HOUNSFIELD_TYPES = ("", "HU", "US")


def check_quantity(path: Path, dataset: Any) -> None:
    """Refuse a slice whose rescaled values are another quantity, such as a dual-energy map.

    Raises:
        Unusable: naming the quantity.
    """
    told = str(dataset.get("RescaleType") or "").upper()
    if told in OTHER_QUANTITIES:
        problem = f"the values of {path.name} are {OTHER_QUANTITIES[told]} (RescaleType {told})"
        raise Unusable(problem, "Only Hounsfield units are read: get the series of them")
    if told not in HOUNSFIELD_TYPES:
        doubt(f"the RescaleType of its slices is not HU but {told[:16]}; Hounsfield units are assumed")


def slice_hounsfield(path: Path, dataset: Any) -> np.ndarray:
    """Decode a slice, whose pixels its dataset then no longer holds.

    Args:
        path: for messages.
        dataset: with RescaleSlope and RescaleIntercept.

    Returns:
        (row, column), Hounsfield units; padding is air.

    Raises:
        Unusable: pixels that cannot be decoded.
    """
    try:
        values = _stored(dataset)
        padding = _padding(values, dataset)
    except Unusable:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:160]
        problem = f"the pixels of {path.name} cannot be decoded ({type(error).__name__}: {text})"
        raise Unusable(problem, "Get the file again") from error
    finally:
        dataset.pop("PixelData", None)  # a series would otherwise be in memory twice
    slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
    found = hounsfield(values, slope, intercept)
    if padding is None:
        return found
    told = slope * _as_stored(dataset.PixelPaddingValue, dataset) + intercept
    if padding.any() and LEAST_TISSUE < told < MOST_TISSUE:
        doubt(f"the PixelPaddingValue of its slices is {told:g} HU, which tissue has too; air is put in its place")
    if told < AIR and str(dataset.get("LossyImageCompression", "")) == LOSSY:
        padding |= found < (told + AIR) / 2  # what compression has made of it
    return np.where(padding, found.dtype.type(AIR), found)


def _stored(dataset: Any) -> np.ndarray:
    """The stored values; what decoding says of a slice is said of its series, in the same words."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", DataNotice)
        values = stored_values(dataset)
    for one in said:
        if issubclass(one.category, DataNotice):
            doubt(f"slices have values of more bits than their BitsStored says: {str(one.message).rsplit(': ')[-1]}")
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return values


def _padding(values: np.ndarray, dataset: Any) -> np.ndarray | None:
    """Which voxels of a slice are padding by its header; None where it states none.

    The value may use bits above BitsStored, which decoding takes off.
    """
    first, last = (dataset.get(name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit"))
    if not isinstance(first, int) or values.dtype.kind not in "iu":
        return None
    low, high = sorted(_as_stored(end, dataset) for end in (first, first if last is None else last))
    syntax = dataset.file_meta.TransferSyntaxUID
    if (_fits(low, dataset) and _fits(high, dataset)) or syntax.is_compressed:
        return (values >= low) & (values <= high)
    kind = _kind(dataset).newbyteorder("<" if syntax.is_little_endian else ">")
    raw = np.frombuffer(dataset.PixelData, kind, values.size).reshape(values.shape)
    return (raw >= low) & (raw <= high)


def _as_stored(number: int, dataset: Any) -> int:
    """The number with the sign of the pixels; it is often written with the other (63536 for -2000)."""
    kind = _kind(dataset)
    return int(np.array(number & (256**kind.itemsize - 1), dtype=f"u{kind.itemsize}").view(kind))


def _kind(dataset: Any) -> np.dtype:
    return np.dtype(f"{'i' if dataset.PixelRepresentation else 'u'}{dataset.BitsAllocated // 8}")


def _fits(number: int, dataset: Any) -> bool:
    bits = int(dataset.BitsStored)
    low, high = (-(1 << bits - 1), 1 << bits - 1) if dataset.PixelRepresentation else (0, 1 << bits)
    return low <= number < high
