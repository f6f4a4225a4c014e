"""Tells a file's format from its content: public collections are full of JPEGs named .png."""

import zlib
from pathlib import Path

from . import analyze, jsrt

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
RASTER = {
    PNG_SIGNATURE: "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"\0\0\0\x0cjP  ": "JPEG2000",
    b"\xff\x4f\xff\x51": "JPEG2000",
    b"\0\0\0\x0cJXL ": "JPEGXL",
    b"\xff\x0a": "JPEGXL",
}
PILLOW = {"PNG", "JPEG", "TIFF", "GIF", "BMP", "JPEG2000"}  # its names of them
NIFTI_MAGIC = (b"n+1\0", b"n+2\0")
PAIR_MAGIC = (b"ni1\0", b"ni2\0")  # a header whose voxels lie in a second file


def format_of(payload: bytes, path: Path) -> str | None:
    """Return "dicom", "nifti", "analyze", "mha", "jsrt", a name of `RASTER`, or None.

    Args:
        payload: at least the first 4 KiB of the file; all of it for JSRT, which has no header.
        path: its name decides only where the content cannot (DICOM without preamble; raw pixels, whose header
            lies in a second file or nowhere).
    """
    if payload[128:132] == b"DICM":
        return "dicom"
    for signature, name in RASTER.items():
        if payload.startswith(signature):
            return name
    head = _inflate(payload) if payload.startswith(b"\x1f\x8b") else payload
    if head[344:348] in NIFTI_MAGIC or head[4:8] in NIFTI_MAGIC:
        return "nifti"
    if head[344:348] in PAIR_MAGIC or head[4:8] in PAIR_MAGIC or analyze.is_pair(head, path):
        return "analyze"
    if b"DimSize" in payload[:4096] and b"ElementType" in payload[:4096]:
        return "mha"
    if path.suffix.lower() == ".img" and jsrt.is_radiograph(payload):
        return "jsrt"
    # The first element of a DICOM file without preamble is in group 2 or 8, whichever the byte order.
    if payload[:2] in (b"\x02\0", b"\x08\0") or payload[:2] in (b"\0\x02", b"\0\x08"):
        return "dicom"
    return None


def _inflate(payload: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(payload, 1024)
    except zlib.error:
        return b""
