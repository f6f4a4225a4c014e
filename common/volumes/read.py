"""The one place where a file or a DICOM series becomes a volume, whatever its format and orientation."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from ..files.errors import Misplaced, OtherKind, UnreadableImage, Unusable
from ..images.formats import format_of
from ..records import Calibration
from . import dicom_series, itk_formats, nifti, npz
from .doubts import Doubt
from .file_grid import FileGrid
from .geometry import canonical
from .hounsfield import AIR
from .plausible import check_plausible
from .volume import Volume

KINDS = "NIfTI, MHA, NRRD, RAD-ChestCT's .npz, and the folder of one DICOM series"
SIGNATURES = {b"NRRD000": itk_formats, b"PK\x03\x04": npz, b"\x1f\x8b": nifti}
MODULES = {"nifti": nifti, "mha": itk_formats}


def read_volume(path: str | os.PathLike[str], calibration: Calibration | None = None) -> Volume:
    """Read one CT volume in Hounsfield units.

    The content decides the format, not the name; the geometry comes from the file. Axes are turned to (head, back,
    left) by transposing and flipping; a tilted gantry or an oblique grid is resampled to a straight one.

    Args:
        path: NIfTI, MHA, NRRD or .npz file, or the folder of one DICOM series.
        calibration: for NIfTI whose scaling and spacing its publisher gives in a table (`Record.calibration`).

    Warns:
        Doubt: numbers that are no Hounsfield units more often than not, or a header that says two things.

    Raises:
        UnreadableImage: damaged, no volume, no spacing, slices missing or repeated, several series, only air, or
            numbers that cannot be Hounsfield units.
    """
    return read_with_file_grid(path, calibration)[0]


def read_with_file_grid(
    path: str | os.PathLike[str], calibration: Calibration | None = None
) -> tuple[Volume, FileGrid]:
    """Read one CT volume as `read_volume` does, and where the file's own voxels lie."""
    place = Path(path)
    with file_errors(place):
        module = module_of(place)
        if calibration is None:
            values, affine = module.load(place)
        elif module.__name__.endswith(".nifti"):
            values, affine = module.load(place, calibration)
        else:
            raise Unusable("a calibration is given for it", "Only NIfTI files take one: leave it out")
        check_plausible(values)
        own = FileGrid.of(values.shape, affine, slowest_first=not module.__name__.endswith(".nifti"))
        values, grid = canonical(values, affine, order=1, outside=AIR)
    return Volume(values, grid.spacing, grid.origin), own


def module_of(path: Path) -> ModuleType:
    """Return the module that reads a file or folder.

    Raises:
        Unusable: no such file, or not a volume of a known kind.
    """
    if path.is_dir():
        return dicom_series
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except FileNotFoundError:
        raise Unusable("no such file", "Check the data folder and the list that names it") from None
    if not head:
        raise Unusable("the file is empty (0 bytes)", "Get the file again: a download was cut off")
    kind = format_of(head, path)
    if kind == "dicom":
        raise Unusable("it is a single DICOM file", "Name the folder that holds all slices of its series")
    signed = next((module for signature, module in SIGNATURES.items() if head.startswith(signature)), None)
    module = MODULES.get(kind or "", signed)
    if module is None:
        raise Unusable("not a volume of a known type", f"Known are {KINDS}")
    return module


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn whatever a format's library raises into one kind of error that names the file, and complete its doubts."""
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", Doubt)
            yield
    except Unusable as error:
        kind = OtherKind if isinstance(error, Misplaced) else UnreadableImage
        raise kind(path, str(error), error.remedy) from error
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:
        reason = f"damaged or unsupported ({type(error).__name__}: {' '.join(str(error).split())[:160]})"
        raise UnreadableImage(path, reason, "Get the file again, or convert it from its DICOM series") from error
    for one in said:
        if isinstance(one.message, Doubt):
            warnings.warn(Doubt(one.message.text, path), stacklevel=4)
