"""Which files are images and volumes, by their suffix or, where there is none, by their content."""

from pathlib import Path
from typing import Literal

from ...images.formats import format_of

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".gif"),
    *(".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".jls", ".jxl"),
    *(".dcm", ".dicom", ".nii", ".nii.gz", ".mha", ".mhd", ".img"),
)
VOLUME_SUFFIXES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr", ".npz")
SLICE_SUFFIXES = (".dcm", ".dicom", ".ima")
OTHERS = (
    *(".csv", ".tsv", ".txt", ".json", ".gz", ".zip", ".xlsx", ".md", ".pdf", ".xml", ".yaml", ".yml", ".html"),
    *(".raw", ".zraw", ".hdr", ".npy", ".pt", ".py", ".h5"),  # voxels of a header, arrays, and what is no image
)
HEAD_BYTES = 4096
VOLUMES = ("nifti", "mha", "nrrd")
_KNOWN = frozenset((*SUFFIXES, *VOLUME_SUFFIXES))


def stem(name: str) -> str:
    """Return a file name without its suffix, `.nii.gz` counting as one; other endings belong to the name."""
    lower = name.lower()
    if lower.endswith(".nii.gz"):
        return name[:-7]
    dot = lower.rfind(".")
    return name[:dot] if dot >= 0 and lower[dot:] in _KNOWN else name


def below(path: Path, base: Path) -> str:
    """Return a path below a folder; nothing where it is not below it. Many times faster than `Path.relative_to`."""
    text, root = str(path), f"{str(base).rstrip('/')}/"
    return text[len(root) :] if text.startswith(root) else ""


def has_known_suffix(path: Path) -> bool:
    """Whether a file has the suffix of an image or a volume."""
    return path.name.lower().endswith((*SUFFIXES, *VOLUME_SUFFIXES))


def is_image(path: Path) -> bool:
    """Whether a file is an image by suffix, or by content where there is no known suffix."""
    return path.name.lower().endswith(SUFFIXES) or _nameless_kind(path) not in (None, "nrrd")


def is_volume(path: Path) -> bool:
    """Whether a file is a whole volume by suffix, or by content where there is no known suffix."""
    return path.name.lower().endswith(VOLUME_SUFFIXES) or _nameless_kind(path) in VOLUMES


def is_slice(path: Path) -> bool:
    """Whether a file is a slice in DICOM; archives name slices by their UID or number."""
    return path.suffix.lower() in SLICE_SUFFIXES or _nameless_kind(path) == "dicom"


def _nameless_kind(path: Path) -> str | None:
    """The format of a file whose suffix tells none; archives name DICOM files by their UID."""
    # Text beside them must not be taken for images.
    if path.suffix.lower() in OTHERS or has_known_suffix(path):
        return None
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            size = file.seek(0, 2)
    except OSError:
        return None
    kind = "nrrd" if head.startswith(b"NRRD000") else format_of(head, path)
    # Two bytes tell too little of a file that nothing else speaks for.
    if kind == "BMP" and int.from_bytes(head[2:6], "little") != size:
        return None
    return None if kind == "dicom" and head[128:132] != b"DICM" and not _begins_as_dicom(head) else kind


def _begins_as_dicom(head: bytes) -> bool:
    """Whether the first elements follow one another: each in its group, of a length, and then the next of that group.

    It is a file without preamble: group 2 or 8, with the letters of a type or without.
    """
    order: Literal["little", "big"] = "little" if head[0] else "big"
    place, before = 0, (0, -1)
    for _ in range(2):
        tag = int.from_bytes(head[place : place + 2], order), int.from_bytes(head[place + 2 : place + 4], order)
        if tag <= before or tag[0] not in (2, 8):
            return False
        if not head[place + 4 : place + 6].isalpha():
            place += 8 + int.from_bytes(head[place + 4 : place + 8], order)
        elif head[place + 4 : place + 6] in (b"OB", b"SQ", b"UN", b"UT"):
            place += 12 + int.from_bytes(head[place + 8 : place + 12], order)
        else:
            place += 8 + int.from_bytes(head[place + 6 : place + 8], order)
        before = tag
    return True
