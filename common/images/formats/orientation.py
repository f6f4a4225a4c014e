"""Turning a picture as the camera that took it was held: Exif's orientation, 1 to 8."""

import numpy as np
from PIL import Image

ORIENTATION = 0x0112


def stated(exif: bytes) -> int:
    """Return the orientation that a block of Exif data names; 1, as stored, where it names none.

    Args:
        exif: the block, with or without "Exif" in front of it.
    """
    block = Image.Exif()
    try:
        block.load(exif)
        return valid(block.get(ORIENTATION, 1))
    except (SyntaxError, ValueError, KeyError, TypeError, OSError):  # damaged Exif turns nothing
        return 1


def valid(number: object) -> int:
    """Return the orientation, or 1 where it is none of the eight."""
    return number if isinstance(number, int) and 1 <= number <= 8 else 1


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn pixels as they are to be looked at (TIFF 6.0, tag Orientation).

    Args:
        pixels: (H, W) or (H, W, C).
        orientation: 1 to 8; from 5 on rows become columns.
    """
    if orientation >= 5:
        pixels = np.swapaxes(pixels, 0, 1)
    upside_down = orientation in (3, 4, 7, 8)
    mirrored = orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(pixels[:: -1 if upside_down else 1, :: -1 if mirrored else 1])


def turned_size(height: int, width: int, orientation: int) -> tuple[int, int]:
    """Return (H, W) of what `turned` gives."""
    return (width, height) if orientation >= 5 else (height, width)
