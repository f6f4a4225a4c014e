"""From any number of bits to eight: the only place where grey values are scaled."""

import numpy as np

MAX_PIXELS = 178_956_970  # Pillow's limit against decompression bombs; the largest mammograms have 25 million


class Unusable(ValueError):  # noqa: N818  (turned into UnreadableImage)
    """Content that is understood and cannot be used; carries the remedy.

    Args:
        reason: what the content is.
        remedy: what the user can do.
    """

    def __init__(self, reason: str, remedy: str):
        super().__init__(reason)
        self.remedy = remedy


def check_area(height: int, width: int) -> None:
    """Refuse a picture whose header asks for an absurd amount of memory, or for none."""
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise Unusable(f"its header declares {height} x {width} pixels", "The header is damaged: get the file again")


def check_single(frames: int, what: str = "frames") -> None:
    """Refuse more than one frame or slice: which of them would be the picture?"""
    if frames != 1:
        remedy = "Only single pictures are read here: export the one to use as a file of its own"
        raise Unusable(f"it holds {frames} {what}", remedy)


def scale(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map [low, high] to 0 ... 255, clipped and rounded; not-a-number becomes `low`."""
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


def scale_by_bits(values: np.ndarray) -> np.ndarray:
    """Map non-negative integers of unknown depth to 0 ... 255.

    A 16-bit file often holds 10, 12 or 14 significant bits and does not say so. The white level is the
    smallest 2**bits - 1 that no pixel exceeds, so a 12-bit picture is not rendered sixteen times too dark,
    and black stays black. Signed, floating and wider values span their own range instead; floats within
    [0, 1] are taken as they are.
    """
    if values.dtype.kind == "f" and values.size and np.nanmin(values) >= 0 and np.nanmax(values) <= 1:
        return scale(values, 0.0, 1.0)
    if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 0xFFFF:
        return scale_to_data(values)
    bits = max(8, int(values.max()).bit_length())
    return scale(values, 0.0, 2.0**bits - 1)
