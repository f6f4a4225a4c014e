"""Which files are images and volumes, by their suffix or, where there is none, by their content."""

from pathlib import Path

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".jp2"),
    *(".dcm", ".dicom", ".nii", ".nii.gz", ".mha", ".mhd", ".img"),
)
VOLUME_SUFFIXES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr", ".npz")
SLICE_SUFFIXES = (".dcm", ".dicom", ".ima")
OTHERS = (".csv", ".txt", ".json", ".gz", ".zip", ".xlsx", ".md", ".pdf", ".xml", ".yaml")
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


def known(path: Path) -> bool:
    """Whether a file has the suffix of an image or a volume."""
    return path.name.lower().endswith((*SUFFIXES, *VOLUME_SUFFIXES))


def is_image(path: Path) -> bool:
    """Whether a file is an image by suffix, or DICOM by content where there is no known suffix."""
    return path.name.lower().endswith(SUFFIXES) or is_nameless_dicom(path)


def is_volume(path: Path) -> bool:
    """Whether a file is a whole volume by suffix."""
    return path.name.lower().endswith(VOLUME_SUFFIXES)


def is_slice(path: Path) -> bool:
    """Whether a file is a slice in DICOM; archives name slices by their UID or number."""
    return path.suffix.lower() in SLICE_SUFFIXES or is_nameless_dicom(path)


def is_nameless_dicom(path: Path) -> bool:
    """Whether a file without an image's suffix is DICOM; archives name such files by their UID."""
    # Text beside them must not be taken for images.
    if path.suffix.lower() in OTHERS:
        return False
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False
