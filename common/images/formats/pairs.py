"""Images made of several files: the header names the file of its pixels, or the two go by one name."""

import re
from pathlib import Path

from . import analyze

KINDS = (".mhd", ".mha", ".nhdr", *analyze.KINDS)
HEADER_BYTES = 1 << 20
VOXELS = re.compile(rb"^(?:ElementDataFile[ \t]*=|data ?file:)[ \t]*([^\r\n]+)", re.MULTILINE | re.IGNORECASE)


def second_files(head: bytes, path: Path) -> list[Path]:
    """Return the files that an image needs besides its own; where one is missing, every name it may have.

    Args:
        head: at least the header of the image.
        path: of the image.
    """
    if analyze.kind_of(path) in analyze.KINDS:
        return analyze.second_files(path)
    begin = head[:4096]
    if not (begin.startswith(b"NRRD000") or (b"DimSize" in begin and b"ElementType" in begin)):
        return []
    told = VOXELS.search(head, 0, HEADER_BYTES)
    name = told.group(1).strip().decode("utf-8", "surrogateescape") if told else "LOCAL"
    if name.upper().startswith("LIST"):
        listed = head[told.end() : HEADER_BYTES].decode("utf-8", "surrogateescape") if told else ""
        return [path.parent / line.strip() for line in listed.splitlines() if line.strip()]
    return [] if name.upper() == "LOCAL" else [path.parent / name]


def files_of(path: Path) -> list[Path]:
    """Return the files that an image is made of and that are there, its own first; only likely headers are opened.

    Args:
        path: of the image, which may be missing.
    """
    if analyze.kind_of(path) not in KINDS and path.suffix:
        return [path]
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
    except OSError:
        return [path]
    return [path, *(file for file in second_files(head, path) if file.is_file())]
