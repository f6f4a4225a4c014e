"""CT volumes and label maps in MetaImage (.mha, .mhd) and NRRD (.nrrd, .nhdr) through ITK."""

import re
from pathlib import Path

import numpy as np

from ..formats.depth import Unusable
from .geometry import FLIP_LPS
from .hounsfield import hounsfield

HEADER_BYTES = 65_536
SUFFIXES = (".mhd", ".mha", ".nhdr", ".nrrd")
# MetaImage's last field, and NRRD's in both spellings; NRRD's header ends at the first empty line
DATA_FILE = re.compile(rb"\A(?:(?!\n\r?\n).)*?^(?:ElementDataFile *=|data ?file:)([^\r\n]*)", re.S | re.M | re.I)
# ITK takes 1 mm and the identity where a header is silent; it has to be read to know that it is not.
NEEDED: dict[str, dict[str, tuple[bytes, ...]]] = {  # of each kind what must be there, in one of its spellings
    "mha": {
        "spacing": (b"elementspacing", b"elementsize"),
        "orientation": (b"transformmatrix", b"orientation", b"rotation"),
    },
    "nrrd": {"spacing": (b"space directions",), "orientation": (b"space",)},
}


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the volume in Hounsfield units, axes reversed to (slowest, ..., fastest), and its affine."""
    values, affine = load_labels(path)
    return hounsfield(values), affine


def load_labels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the stored numbers, axes reversed to (slowest, ..., fastest), and their affine.

    Raises:
        Unusable: a header without spacing or orientation.
    """
    import itk

    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    check_header(head)
    if _told(head) is not None and len(voxel_files(path)) != 1:
        problem = f"its voxels are said to be in {_told(head)}"
        raise Unusable(problem, "One file beside it is read: bring that here, or save header and voxels as one file")
    image = itk.imread(str(path))
    values = np.asarray(itk.array_from_image(image))
    if values.ndim != 3 or image.GetImageDimension() != 3:
        shape = " x ".join(map(str, values.shape))
        raise Unusable(f"it holds an array of {shape}", "One volume of single numbers is read: export it by itself")
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(itk.array_from_matrix(image.GetDirection())) @ np.diag(list(image.GetSpacing()))
    affine[:3, 3] = list(image.GetOrigin())
    # ITK counts x first, its array z first.
    return values, FLIP_LPS @ affine @ FLIP_LPS


def voxel_files(path: Path) -> list[Path]:
    """The file that a detached header (.mhd, .nhdr) names for its voxels; nothing for other files, or if it is gone.

    Args:
        path: of any file.
    """
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return []
    with path.open("rb") as file:
        told = _told(file.read(HEADER_BYTES))
    place = path.parent / (told or "")
    return [place] if told and place.is_file() else []


def _told(head: bytes) -> str | None:
    """What a header says of where its voxels are; None where they follow it."""
    found = DATA_FILE.search(head)
    told = found[1].decode(errors="replace").strip() if found else None
    return None if told in (None, "LOCAL") else told


def check_header(head: bytes) -> None:
    """Refuse a header that says nothing about millimetres, or about left and right.

    Args:
        head: the beginning of the file.
    """
    kind = "nrrd" if head.startswith(b"NRRD") else "mha"
    end = head.find(b"\n\n") if kind == "nrrd" else head.find(b"ElementDataFile")
    fields = {line.partition(b":" if kind == "nrrd" else b"=")[0].strip().lower() for line in head[:end].split(b"\n")}
    for what, spellings in NEEDED[kind].items():
        if not fields & set(spellings):
            remedy = "Save it with its spacing and orientation: without them it has no size, and left and right are one"
            raise Unusable(f"its header has no {what} ('{spellings[0].decode()}')", remedy)
