"""The text headers of MetaImage and NRRD, which ITK reads but does not hand on whole.

Where a header is silent ITK takes 1 mm, the identity and no scaling; it has to be read to know that it is not, and
for what ITK leaves out: units of length, the scaling of values, names of labels.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..files.bounded import DEFLATE, check_declared
from ..files.errors import Unusable

HEAD_BYTES = 4096  # in which a header shows what it is
HEADER_BYTES = 1 << 20  # Slicer writes half a kilobyte for each of a hundred segments
TEXT = 8  # bytes that one character can stand for, where voxels are written as text
ELEMENTS = {"CHAR": 1, "SHORT": 2, "INT": 4, "LONG": 8, "FLOAT": 4, "DOUBLE": 8}
NAMED_TYPE = re.compile(r"(?:u?int|float)(8|16|32|64)")


@dataclass(frozen=True)
class TextHeader:
    """What a header says.

    Args:
        nrrd: it is NRRD; MetaImage otherwise.
        fields: name to value; NRRD's names in small letters, MetaImage's as ITK wants them, which minds the case.
        pairs: NRRD's own keys (`key:=value`).
        length: bytes of the header, with the line that ends it.
    """

    nrrd: bool
    fields: Mapping[str, str]
    pairs: Mapping[str, str]
    length: int

    @property
    def voxels_in(self) -> str | None:
        """What it says of where its voxels are; None where they follow it."""
        told = next(
            (self.fields[name] for name in ("ElementDataFile", "data file", "datafile") if name in self.fields), None
        )
        return None if told in (None, "LOCAL", "Local", "local") else told


def read_header(path: Path) -> TextHeader | None:
    """Return the header of a file; None for files of other formats, whatever their name, and if there is none.

    Args:
        path: of any file.
    """
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if head.startswith(b"NRRD000"):
            return _nrrd(head + file.read(HEADER_BYTES))
        if b"DimSize" in head and b"ElementType" in head:
            return _metaimage(head + file.read(HEADER_BYTES))
    return None


def check_size(header: TextHeader, stored: int) -> None:
    """Refuse a header that declares more voxels than its file holds.

    Args:
        header: of the volume.
        stored: bytes of the file with the voxels that are theirs.

    Raises:
        Unusable: naming both.
    """
    fields = header.fields
    sides = [int(side) for side in fields.get("sizes" if header.nrrd else "DimSize", "").split()]
    wanted = math.prod(sides) * _item_bytes(fields.get("type" if header.nrrd else "ElementType", ""))
    encoding = fields.get("encoding", "raw").lower()
    if encoding in ("bz2", "bzip2"):
        raise Unusable("its voxels are compressed by bzip2", "Save it with the encoding gzip or raw")
    if encoding in ("gz", "gzip") or fields.get("CompressedData", "").lower() == "true":
        check_declared(wanted, stored, DEFLATE)
    else:
        check_declared(
            wanted, stored, 1 if encoding == "raw" and fields.get("BinaryData", "").lower() != "false" else TEXT
        )


def _item_bytes(name: str) -> int:
    """Bytes of one voxel; 1, the least, of a type that is not known."""
    if found := NAMED_TYPE.search(name.lower()):
        return int(found[1]) // 8
    words = name.upper().replace("MET_", "").replace("_ARRAY", "").replace("_", " ").split()
    if words.count("LONG") == 1 and name.startswith("MET_"):
        return 4 if "INT" not in words else 8
    return next((ELEMENTS[word.removeprefix("U")] for word in reversed(words) if word.removeprefix("U") in ELEMENTS), 1)


def _nrrd(content: bytes) -> TextHeader:
    end = re.search(rb"\n\r?\n", content)
    length = end.end() if end else len(content)
    fields, pairs = {}, {}
    for line in content[:length].decode("utf-8", "replace").splitlines()[1:]:
        if ":=" in line and ": " not in line.partition(":=")[0]:
            key, _, value = line.partition(":=")
            pairs[key.strip()] = value.strip()
        elif not line.startswith("#") and ":" in line:
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
    return TextHeader(True, fields, pairs, length)


def _metaimage(content: bytes) -> TextHeader:
    fields: dict[str, str] = {}
    place = 0
    while place < len(content) and "ElementDataFile" not in fields:
        stop = content.find(b"\n", place) + 1 or len(content)
        name, found, value = content[place:stop].decode("utf-8", "replace").partition("=")
        if found:
            fields[name.strip()] = value.strip()
        place = stop
    return TextHeader(False, fields, {}, place)
