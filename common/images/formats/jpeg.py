"""JPEG of every process, JPEG-LS and DICOM's JPEG frames: which one a file holds is read from its own markers."""

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...files.errors import Unusable
from . import raster
from .depth import check_area, scale_by_bits
from .labels import Labels, labels_of
from .orientation import stated, turned, turned_size

DCT = {0, 1, 2, 9, 10}  # baseline, extended, progressive; the latter two with arithmetic coding
LOSSLESS, JPEG_LS = 3, 55
FRAMES = {0xC0 + number: number for number in range(16) if number not in (4, 8, 12)} | {0xF7: JPEG_LS}
ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a segment
SCAN = 0xDA
END = b"\xff\xd9"
APP0, APP1, APP14 = 0xE0, 0xE1, 0xEE
RGB_IDS = ([82, 71, 66], [114, 103, 98])  # "RGB" and "rgb"
RGB, YCBCR = "RGB", "YCBCR"


class Header(NamedTuple):
    """What stands before the pixels of a JPEG.

    Args:
        process: the number of its frame marker, SOF0 to SOF15, or 55 for JPEG-LS.
        precision: bits of a sample.
        height: rows.
        width: columns.
        ids: of the components.
        subsampled: some components have fewer samples than others.
        transform: the colour transform that Adobe's marker names (0 none); None without that marker.
        jfif: there is a JFIF marker, which promises grey or YCbCr.
        orientation: Exif's, 1 to 8.
        frame: offset of the frame marker.
    """

    process: int
    precision: int
    height: int
    width: int
    ids: list[int]
    subsampled: bool
    transform: int | None
    jfif: bool
    orientation: int
    frame: int


def read(payload: bytes, path: Path) -> np.ndarray:
    """Decode to uint8 grey or RGB."""
    header = header_of(payload)
    if header is None or _plain(header):
        return raster.read(payload, path)
    return scale_by_bits(turned(decoded(payload, header), header.orientation))


def labels(payload: bytes, path: Path) -> Labels:
    """Return the values, which all but the lossless processes have moved about."""
    header = header_of(payload)
    if header is None or _plain(header):
        return raster.labels(payload, path, lossy=True)
    values = turned(decoded(payload, header), header.orientation)
    return labels_of(values, lossy=header.process != LOSSLESS)


def size(payload: bytes, path: Path) -> tuple[int, int]:
    """Return (H, W) as `read` would give it."""
    header = header_of(payload)
    if header is None or _plain(header):
        return raster.size(payload, path)
    return turned_size(header.height, header.width, header.orientation)


def decoded(payload: bytes, header: Header, declared: str | None = None) -> np.ndarray:
    """Return the samples, (H, W) or (H, W, 3) in RGB.

    Args:
        payload: from the first marker on.
        header: of it.
        declared: "RGB" or "YCBCR", which counts where the markers do not tell.

    Raises:
        Unusable: a process, or a number of components, that is not read here.
    """
    import imagecodecs

    check_area(header.height, header.width, len(header.ids) * (1 if header.precision <= 8 else 2))
    if header.process == JPEG_LS:
        return imagecodecs.jpegls_decode(payload)
    if header.process not in {*DCT, LOSSLESS} or len(header.ids) not in (1, 3):
        reason = f"JPEG of process SOF{header.process} with {len(header.ids)} components is not supported"
        raise Unusable(reason, "Save it as 8- or 16-bit PNG")
    if payload.rfind(END) < header.frame:  # the decoder would fill up with grey and say nothing
        raise Unusable("its compressed picture is cut off", "Get the file again: a download was cut off")
    if len(header.ids) == 1:
        return imagecodecs.jpeg_decode(payload)
    source = colour_space(header, declared)
    if header.process == LOSSLESS:  # its decoder transforms no colours
        values = imagecodecs.jpeg_decode(payload)
        return values if source == RGB else _rgb(values)
    return imagecodecs.jpeg_decode(payload, colorspace=source, outcolorspace=RGB)


def colour_space(header: Header, declared: str | None = None) -> str:
    """Say whether three components are RGB or YCbCr: their own markers come before what stands outside.

    Args:
        header: of the JPEG.
        declared: what stands outside; None where nothing does.
    """
    if header.transform is not None:
        return YCBCR if header.transform else RGB
    if header.jfif or header.subsampled:  # nobody subsamples red or blue
        return YCBCR
    if header.ids in RGB_IDS:
        return RGB
    return declared or (RGB if header.process == LOSSLESS else YCBCR)


def header_of(payload: bytes) -> Header | None:
    """Read the markers up to the frame; None where they are damaged, cut off, or none of JPEG's."""
    position, transform, jfif, orientation = 2, None, False, 1
    try:
        while True:
            while payload[position] == 0xFF and payload[position + 1] == 0xFF:  # fill bytes
                position += 1
            mark, kind = payload[position], payload[position + 1]
            if mark != 0xFF or kind == SCAN:
                return None
            if kind in ALONE:
                position += 2
                continue
            length = int.from_bytes(payload[position + 2 : position + 4], "big")
            segment = payload[position + 4 : position + 2 + length]
            if kind in FRAMES:
                return Header(FRAMES[kind], *_frame(segment), transform, jfif, orientation, position)
            if kind == APP0:
                jfif = jfif or segment.startswith(b"JFIF")
            elif kind == APP14 and segment.startswith(b"Adobe") and len(segment) >= 12:
                transform = segment[11]
            elif kind == APP1 and segment.startswith(b"Exif\0"):
                orientation = stated(segment)
            position += 2 + length
    except (IndexError, struct.error):
        return None


def _frame(segment: bytes) -> tuple[int, int, int, list[int], bool]:
    precision, height, width, components = struct.unpack(">BHHB", segment[:6])
    ids = [segment[6 + 3 * number] for number in range(components)]
    subsampled = len({segment[7 + 3 * number] for number in range(components)}) > 1
    return precision, height, width, ids, subsampled


def _plain(header: Header) -> bool:
    """Say whether Pillow reads it, which turns by itself what calls for it and knows four components."""
    return header.process in DCT and header.precision == 8


def _rgb(values: np.ndarray) -> np.ndarray:
    from pydicom.pixels import convert_color_space

    return convert_color_space(values, "YBR_FULL", "RGB")
