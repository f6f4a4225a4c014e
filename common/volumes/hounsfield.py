"""Hounsfield units from stored numbers."""

import numpy as np

from ..files.errors import Unusable

AIR = -1024.0  # lowest value of CT with 12 bits; what lies below is padding
INT16 = np.iinfo(np.int16)


def hounsfield(values: np.ndarray, slope: float = 1.0, intercept: float = 0.0) -> np.ndarray:
    """Return slope * values + intercept, as int16 where that is exact and float32 otherwise.

    Args:
        values: as stored, integers or floats.
        slope: Hounsfield units per stored number.
        intercept: Hounsfield units of a stored 0.

    Raises:
        Unusable: values that are no numbers or of 8 bits without a scaling, or a slope of 0 or that is none.
    """
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        problem = f"its rescale slope is {slope:g} and its intercept {intercept:g}"
        raise Unusable(problem, "They must be numbers and the slope not 0: get the file again")
    if values.dtype.kind not in "iuf":
        raise Unusable(f"its voxels are of type {values.dtype}", "Hounsfield units are single numbers")
    if values.dtype.itemsize == 1 and (slope, intercept) == (1, 0):
        problem = f"its voxels are 8-bit numbers, {values.min()} to {values.max()}, which cannot hold Hounsfield units"
        raise Unusable(problem, "It is a picture or a label map: get the CT, or leave it out")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise Unusable(f"{count:,} voxels are not numbers", "Write air (-1024) where there is no picture")
    if values.dtype.kind in "iu" and float(slope).is_integer() and float(intercept).is_integer():
        ends = [slope * float(end) + intercept for end in (values.min(), values.max())]
        if min(ends) >= INT16.min and max(ends) <= INT16.max:
            if (slope, intercept) == (1, 0):
                return values.astype(np.int16, copy=False)
            return (values.astype(np.int32) * int(slope) + int(intercept)).astype(np.int16)
    return values.astype(np.float32) * np.float32(slope) + np.float32(intercept)
