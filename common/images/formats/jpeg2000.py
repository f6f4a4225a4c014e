"""JPEG 2000, file or bare codestream: 8 bits through Pillow, which knows its colour spaces, more through OpenJPEG."""

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...files.errors import Unusable
from . import raster
from .depth import check_area, scale_by_bits
from .labels import Labels, labels_of

START = b"\xff\x4f\xff\x51"  # start of codestream, then the size marker
CODING, SCAN = 0xFF52, 0xFF90
IRREVERSIBLE = 0  # the wavelet of 9 and 7 taps


class Header(NamedTuple):
    """What stands before the pixels.

    Args:
        height: rows.
        width: columns.
        precision: bits of the deepest component.
        components: colours and alpha.
        colour_transform: the first three components are stored as luma and chroma, and decoded to RGB.
        lossy: coded by the irreversible wavelet.
    """

    height: int
    width: int
    precision: int
    components: int
    colour_transform: bool
    lossy: bool


def read(payload: bytes, path: Path) -> np.ndarray:
    """Decode to uint8 grey or RGB."""
    header = header_of(payload)
    if header is None or header.precision <= 8:
        return raster.read(payload, path)
    return scale_by_bits(_without_alpha(_deep(payload, header)))


def labels(payload: bytes, path: Path) -> Labels:
    """Return the stored values."""
    header = header_of(payload)
    if header is None or header.precision <= 8:
        return raster.labels(payload, path, lossy=header is None or header.lossy)
    return labels_of(_deep(payload, header), header.lossy)


def size(payload: bytes, path: Path) -> tuple[int, int]:
    """Return (H, W) from the header."""
    header = header_of(payload)
    return raster.size(payload, path) if header is None else (header.height, header.width)


def header_of(payload: bytes) -> Header | None:
    """Read the main header of the codestream; None where there is none."""
    start = payload.find(START)
    if start < 0:
        return None
    try:
        right, lower, left, upper = struct.unpack_from(">4I", payload, start + 8)
        (components,) = struct.unpack_from(">H", payload, start + 40)
        depths = [payload[start + 42 + 3 * number] for number in range(components)]
        transform, lossy = _coding(payload, start + 4)
    except (struct.error, IndexError):
        return None
    precision = max((depth & 0x7F) + 1 for depth in depths)
    return Header(lower - upper, right - left, precision, components, transform, lossy)


def _coding(payload: bytes, position: int) -> tuple[bool, bool]:
    """Return whether colours are transformed and whether something is lost, from the marker of coding style."""
    position += struct.unpack_from(">H", payload, position)[0]
    while True:
        marker, length = struct.unpack_from(">HH", payload, position)
        if marker == CODING:
            return bool(payload[position + 8]), payload[position + 13] == IRREVERSIBLE
        if marker == SCAN:
            return False, True
        position += 2 + length


def _deep(payload: bytes, header: Header) -> np.ndarray:
    import imagecodecs

    check_area(header.height, header.width, 2 * header.components)
    if header.components > 4:
        raise Unusable(f"it has {header.components} channels", "Save it as grey or RGB")
    return imagecodecs.jpeg2k_decode(payload)


def _without_alpha(values: np.ndarray) -> np.ndarray:
    if values.ndim == 2:
        return values
    return values[..., 0] if values.shape[2] <= 2 else values[..., :3]
