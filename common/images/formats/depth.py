"""From any number of bits to eight: the only place where grey values are scaled."""

import warnings

import numpy as np

from ...files.errors import DataNotice, Unusable

MAX_PIXELS = 178_956_970  # Pillow's limit against decompression bombs; the largest mammograms have 25 million
MAX_BYTES = 4 * MAX_PIXELS  # four channels of 8 bits, two of 16


def notice(text: str) -> None:
    """Say what was decided about a file whose content leaves it open; who reads the file adds its name."""
    warnings.warn(text, DataNotice, stacklevel=2)


def check_area(height: int, width: int, pixel_bytes: int = 1) -> None:
    """Refuse a picture whose header asks for an absurd amount of memory, or for none.

    Args:
        height: in pixels.
        width: in pixels.
        pixel_bytes: of all channels of a pixel.
    """
    if height < 1 or width < 1 or height * width > MAX_PIXELS or height * width * pixel_bytes > MAX_BYTES:
        stated = f"{height} x {width} pixels" + (f" of {pixel_bytes} bytes" if pixel_bytes > 1 else "")
        remedy = f"The header is damaged (at most {MAX_PIXELS:,} pixels are read): get the file again"
        raise Unusable(f"its header declares {stated}", remedy)


def check_single(frames: int, what: str = "frames") -> None:
    """Refuse more than one frame or slice: which of them would be the picture?"""
    if frames != 1:
        remedy = "Only single pictures are read here: export the one to use as a file of its own"
        raise Unusable(f"it holds {frames} {what}", remedy)


def scale(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map [low, high] to 0 ... 255, clipped and rounded; not-a-number becomes 0."""
    if not high > low:
        raise Unusable(f"every pixel has the value {low:g}", "It shows nothing: get the file again or leave it out")
    scaled = (values.astype(np.float32) - low) * (255.0 / (high - low))
    return np.clip(np.rint(np.nan_to_num(scaled, nan=0.0)), 0, 255).astype(np.uint8)


def scale_to_data(values: np.ndarray) -> np.ndarray:
    """Map the range that the finite values span to 0 ... 255."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if finite.size == 0:
        raise Unusable("no pixel has a finite value", "Get the file again")
    return scale(values, float(finite.min()), float(finite.max()))


def scale_by_bits(values: np.ndarray, inverted: bool = False) -> np.ndarray:
    """Map values of unknown depth to 0 ... 255.

    A 16-bit file often holds 10, 12 or 14 significant bits and does not say so. The white level is the
    smallest 2**bits - 1 that no pixel (in any of its colours) exceeds, so a 12-bit picture is not rendered
    sixteen times too dark, and black stays black. Signed, floating and wider values span their own finite
    range instead; floats within [0, 1] are taken as they are. What is no number is background: black, and said.

    Args:
        values: (H, W), or (H, W, 3) without alpha, which says nothing about brightness.
        inverted: high values are dark.
    """
    if values.dtype == np.uint8:
        return 255 - values if inverted else values
    if values.dtype.kind == "f":
        return _scale_floats(values, inverted)
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 0xFFFF:
        grey = scale_to_data(values)
    else:
        bits = max(8, int(values.max()).bit_length())
        grey = scale(values, 0.0, 2.0**bits - 1)
    return 255 - grey if inverted else grey


def _scale_floats(values: np.ndarray, inverted: bool) -> np.ndarray:
    finite = np.isfinite(values)
    if finite.all():
        kept = values
    else:
        notice(f"{np.count_nonzero(~finite)} of {finite.size} values are not finite: NaN is shown black")
        kept = values[finite]
    within_one = kept.size > 0 and kept.min() >= 0 and kept.max() <= 1
    grey = scale(values, 0.0, 1.0) if within_one else scale_to_data(values)
    return np.where(np.isnan(values), 0, 255 - grey).astype(np.uint8) if inverted else grey
