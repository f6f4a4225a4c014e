"""JPEG XL, file or bare codestream, through libjxl, which turns it as its header says."""

from pathlib import Path

import numpy as np

from ...files.errors import Unusable
from .depth import check_area, check_single, scale_by_bits
from .labels import Labels, labels_of
from .orientation import turned_size

CODESTREAM = b"\xff\x0a"
DISTRIBUTIONS = ((0, 9), (0, 13), (0, 18), (0, 30))  # (offset, bits) of a side's length, by its two-bit selector
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height


def read(payload: bytes, path: Path) -> np.ndarray:
    """Decode to uint8 grey or RGB."""
    values = _values(payload)
    if values.ndim == 3:
        values = values[..., 0] if values.shape[2] <= 2 else values[..., :3]
    return scale_by_bits(values)


def labels(payload: bytes, path: Path) -> Labels:
    """Return the stored values; whether something was lost, its header does not say plainly."""
    return labels_of(_values(payload), lossy=True)


def size(payload: bytes, path: Path) -> tuple[int, int]:
    """Return (H, W) from the header."""
    return size_of(payload)


def size_of(payload: bytes) -> tuple[int, int]:
    """Return (H, W) as it is decoded (ISO/IEC 18181-1, SizeHeader and ImageMetadata)."""
    bits = _Bits(_codestream(payload))
    small = bits.take(1)
    height = _length(bits, small)
    ratio = bits.take(3)
    width = height * RATIOS[ratio - 1][0] // RATIOS[ratio - 1][1] if ratio else _length(bits, small)
    plain = bits.take(1)
    orientation = 1 + bits.take(3) if not plain and bits.take(1) else 1
    return turned_size(height, width, orientation)


def _values(payload: bytes) -> np.ndarray:
    import imagecodecs

    check_area(*size_of(payload))
    values = imagecodecs.jpegxl_decode(payload)
    if values.ndim == 4:
        check_single(len(values))
    return values


def _codestream(payload: bytes) -> bytes:
    position = 0
    while not payload.startswith(CODESTREAM, position):
        length, kind = int.from_bytes(payload[position : position + 4], "big"), payload[position + 4 : position + 8]
        head = 8
        if length == 1:
            length, head = int.from_bytes(payload[position + 8 : position + 16], "big"), 16
        start = position + head + (4 if kind == b"jxlp" else 0)
        if kind in (b"jxlc", b"jxlp"):
            return payload[start:]
        if length < 8 or position + length >= len(payload):
            raise Unusable("its header is damaged or cut off", "Get the file again: a download was cut off")
        position += length
    return payload[position:]


def _length(bits: "_Bits", small: int) -> int:
    if small:
        return 8 * (1 + bits.take(5))
    offset, count = DISTRIBUTIONS[bits.take(2)]
    return 1 + offset + bits.take(count)


class _Bits:
    """The bits of a codestream behind its two signature bytes, the lowest of each byte first."""

    def __init__(self, codestream: bytes):
        self._number, self._position = int.from_bytes(codestream[2:22], "little"), 0

    def take(self, count: int) -> int:
        value = self._number >> self._position & ((1 << count) - 1)
        self._position += count
        return value
