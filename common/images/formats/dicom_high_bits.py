"""Bits above BitsStored: overlays and flags of old files, or values that are larger than the header says."""

from typing import Any

import numpy as np
from scipy import ndimage

from .depth import notice

NEARBY = 11  # pixels across, around the values in question
OVERLAY_GROUPS = range(0x6000, 0x6020, 2)
OVERLAY_POSITION, OVERLAY_DATA = 0x0102, 0x3000


def settled(raw: np.ndarray, low: np.ndarray, dataset: Any, bits: int) -> np.ndarray:
    """Return the values of a picture of which something may lie above its stored bits.

    Signs that are extended, overlays that the header declares, and padding are no question. What is left is kept, since
    a header is more often wrong than a pixel (metal in CT), and only taken away where the picture goes on
    beneath it; either way it is said.

    Args:
        raw: (H, W) or (H, W, C), integers as allocated.
        low: the same, of the stored bits alone.
        dataset: its elements.
        bits: that are stored.
    """
    whole = raw & ~_declared_overlays(dataset, bits, raw.dtype)
    doubtful = _beyond(whole, bits, padding := _is_padding(raw, dataset)) & ~padding
    if not doubtful.any():
        return low
    kept = np.where(doubtful, whole, low)
    stated = f"{np.count_nonzero(doubtful)} of {raw.size} values have more than the {bits} bits of its BitsStored"
    if _goes_on_beneath(low, kept, doubtful):
        notice(f"{stated}: the picture goes on beneath the bits above, which are taken away")
        return low
    notice(f"{stated}: they are kept whole")
    return np.where(padding, low, kept)


def _declared_overlays(dataset: Any, bits: int, kind: np.dtype) -> np.ndarray:
    """Return the bits, above the stored ones, that overlays without data of their own say they lie in."""
    declared = 0
    for group in OVERLAY_GROUPS:
        if (group, OVERLAY_POSITION) in dataset and (group, OVERLAY_DATA) not in dataset:
            position = int(dataset[group, OVERLAY_POSITION].value or 0)
            declared |= 1 << position if bits <= position < 8 * kind.itemsize else 0
    return np.array(declared, f"u{kind.itemsize}").view(kind)


def _beyond(values: np.ndarray, bits: int, padding: np.ndarray) -> np.ndarray:
    """Say which values do not fit; negative ones may have their sign in the stored bits alone."""
    if values.dtype.kind == "u":
        return values >= 1 << bits
    half = 1 << bits - 1
    extended = bool((values[~padding] < 0).any())
    return (values < -half) | (values >= (half if extended else 2 * half))


def _is_padding(raw: np.ndarray, dataset: Any) -> np.ndarray:
    ends = [dataset.get(f"PixelPadding{name}") for name in ("Value", "RangeLimit")]
    known = [int(end) for end in ends if isinstance(end, int)]
    if not known or ends[0] is None:
        return np.zeros(raw.shape, bool)
    first, last = sorted(np.array([end & ((1 << 8 * raw.itemsize) - 1) for end in known]).astype(raw.dtype)[[0, -1]])
    return (raw >= first) & (raw <= last)


def _goes_on_beneath(low: np.ndarray, kept: np.ndarray, doubtful: np.ndarray) -> bool:
    """Say whether, across the edges of the doubtful values, the low bits change as little as the picture does nearby.

    Along rows and along columns, the usual step over an edge is compared with that of the whole values, and with two
    steps of the picture between values of one kind.
    """
    if low.min() == low.max():
        return False
    near = ndimage.maximum_filter(doubtful, (NEARBY, NEARBY) + (1,) * (doubtful.ndim - 2))
    high = kept.astype(np.int64) - low
    judged = [_as_smooth(*(np.moveaxis(a, axis, 0) for a in (low.astype(np.int64), high, near))) for axis in (0, 1)]
    told = [smooth for smooth in judged if smooth is not None]
    return bool(told) and all(told)


def _as_smooth(low: np.ndarray, high: np.ndarray, near: np.ndarray) -> bool | None:
    """Judge the edges between rows; None where there are none."""
    edges = high[1:] != high[:-1]
    if not edges.any():
        return None
    step = np.median(np.abs(np.diff(low, axis=0))[edges])
    alike = (high[2:] == high[:-2]) & near[2:] & near[:-2]
    usual = np.median(np.abs(low[2:] - low[:-2])[alike]) if alike.any() else np.inf
    return bool(step < np.median(np.abs(np.diff(low + high, axis=0))[edges]) and step <= 2 * usual + 1)
