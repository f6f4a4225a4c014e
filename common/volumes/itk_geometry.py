"""Whether a header of MetaImage or NRRD says where left, right and the millimetres are, and in which unit."""

import shlex

import numpy as np

from ..files.errors import Unusable
from .doubts import doubt
from .itk_headers import TextHeader

NEEDED: dict[
    bool, dict[str, tuple[str, ...]]
] = {  # of each kind what must be there, in one of its spellings; True for NRRD
    False: {
        "spacing": ("ElementSpacing", "ElementSize"),
        "orientation": ("TransformMatrix", "Orientation", "Rotation"),
    },
    True: {"spacing": ("space directions",), "orientation": ("space",)},
}
ONCE = (("TransformMatrix", "Orientation", "Rotation"), ("Offset", "Position", "Origin"))  # names of one thing
# NRRD's spaces that are the patient's; scanner-xyz and the 3D ones say nothing of left and right.
PATIENT = {"lps", "ras", "las", "left-posterior-superior", "right-anterior-superior", "left-anterior-superior"}
MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "µm": 0.001, "micron": 0.001, "dm": 100.0}
MM |= {"millimeter": 1.0, "millimeters": 1.0, "meter": 1000.0, "meters": 1000.0, "microns": 0.001}
SILENT = ("", "?", "???")
LPS = ("RL", "AP", "IS")  # MetaImage names an axis by where it comes from


def check_geometry(header: TextHeader) -> None:
    """Refuse a header that says nothing about millimetres, or about left and right, or says it twice.

    Raises:
        Unusable: naming the field that is missing, or the two that differ.
    """
    fields = header.fields
    for what, spellings in NEEDED[header.nrrd].items():
        if not fields.keys() & set(spellings):
            remedy = "Save it with its spacing and orientation: without them it has no size, and left and right are one"
            raise Unusable(f"its header has no {what} ('{spellings[0].lower()}')", remedy)
    if header.nrrd:
        space = fields["space"].lower().removesuffix("-time")
        if space not in PATIENT:
            problem = f"its space is '{fields['space']}', which does not tell the patient's left from right"
            raise Unusable(problem, "Save it in left-posterior-superior, or convert it from its DICOM series again")
    for names in ONCE:
        told = {name: [float(number) for number in fields[name].split()] for name in names if name in fields}
        if len({tuple(numbers) for numbers in told.values()}) > 1:
            raise Unusable(f"its header has {' and '.join(told)}, which differ", "They name one thing: remove one")


def in_millimetres(header: TextHeader, affine: np.ndarray) -> np.ndarray:
    """Return an affine of ITK's in mm, whatever its unit.

    Args:
        header: of the volume.
        affine: (4, 4), index to (x, y, z) in the header's unit.
    """
    told = unit_told(header)
    units = shlex.split(told) if header.nrrd else [told] * 3
    unknown = [unit for unit in units if unit.lower() not in (*MM, *SILENT)]
    if unknown:
        doubt(f"its unit of length is '{unknown[0]}', which is not known; millimetres are assumed")
    factors = [MM.get(unit.lower(), 1.0) for unit in units] or [1.0] * 3
    if len(factors) != 3:
        raise Unusable(f"its header has {len(factors)} units of length ({told})", "Give one for each axis of the space")
    return np.diag([*factors, 1.0]) @ affine


def unit_told(header: TextHeader) -> str:
    """Return the header's unit or units of length in its own words; nothing where it names none."""
    if header.nrrd:
        return header.fields.get("space units", header.fields.get("units", ""))
    return header.fields.get("DistanceUnits", "")


def check_letters(header: TextHeader, affine: np.ndarray) -> None:
    """Say where MetaImage's letters contradict its matrix, which ITK uses.

    Args:
        header: of the volume.
        affine: (4, 4), index to (x, y, z), x towards the left.
    """
    stated = header.fields.get("AnatomicalOrientation", "???").upper()
    columns = affine[:3, :3].T
    ours = "".join(LPS[axis][int(column[axis] < 0)] for column in columns for axis in [int(np.abs(column).argmax())])
    # Old programs write RAI whatever the matrix.
    if stated not in ("RAI", "???", ours):
        doubt(f"its AnatomicalOrientation is {stated} and its matrix says {ours}; the matrix is used")
