"""CT volumes and label maps in NIfTI (.nii, .nii.gz)."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from ..files.bounded import gunzip_start
from ..files.errors import Unusable
from ..images.decode import load_bytes
from ..images.formats.nifti_bytes import GZIP, HEADER_BYTES, nifti_bytes, raw_header
from ..records import Calibration
from .doubts import doubt
from .geometry import FLIP_LPS
from .header_names import names_in_nifti, refuse_label_map
from .hounsfield import hounsfield
from .nifti_geometry import affine_of
from .plausible_size import check_voxels

EXTENSION_BYTES = 1 << 22  # hold every header with its extensions; a table of 117 names has 20 KB
AIR_INTERCEPT = -1000.0  # from which on stored values are not Hounsfield units


def load(path: Path, calibration: Calibration | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the volume in Hounsfield units, axes as in the file, and its affine (see `geometry`).

    Args:
        path: of the file.
        calibration: replaces the file's scaling, spacing and orientation; its axes are then taken to run to the
            patient's left, back and head, as those of CT-RATE's first version do.

    Raises:
        Unusable: a cut or corrupt file, time series, colours, a label map that names its labels, or a file without
            orientation.
    """
    image, header = open_image(path)
    refuse_label_map(names_in_nifti(image.header))
    if calibration is None:
        return hounsfield(_three_axes(np.asarray(image.dataobj))), affine_of(image, header)
    stored = _three_axes(np.asarray(image.dataobj))
    if calibration.intercept <= AIR_INTERCEPT and _looks_calibrated(stored):
        problem = f"its voxels are Hounsfield units already, and an intercept of {calibration.intercept:g} is given"
        raise Unusable(problem, "It is of a version that needs none (CT-RATE: version: fixed)")
    values = hounsfield(stored, calibration.slope, calibration.intercept)
    affine = FLIP_LPS @ np.diag([*reversed(calibration.spacing), 1.0])
    check_voxels(affine, values.shape, "mm, in its publisher's table")
    return values, affine


def load_labels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the stored integers, axes as in the file, and its affine."""
    image, header = open_image(path)
    return _three_axes(np.asarray(image.dataobj)), affine_of(image, header)


def open_image(path: Path) -> tuple[Any, Any]:
    """Return nibabel's image of a whole file, decompressed in memory, and its header as it was written.

    On the way in nibabel mends what it finds wrong in a header, and makes 1 mm of a spacing of 0.

    Raises:
        Unusable: no NIfTI header, or a compressed part that is cut, corrupt, or more than the header declares;
            a scaling that is no number.
    """
    from nibabel.nifti1 import Nifti1Image
    from nibabel.nifti2 import Nifti2Image

    payload = nifti_bytes(load_bytes(path))
    header = raw_header(payload)
    _check_scaling(header)
    return (Nifti2Image if len(header.binaryblock) == HEADER_BYTES else Nifti1Image).from_bytes(payload), header


def open_header(path: Path) -> Any:
    """Return nibabel's header of a file with its extensions, without reading its voxels."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    payload = load_bytes(path, EXTENSION_BYTES)
    if payload.startswith(GZIP):
        payload = gunzip_start(payload, EXTENSION_BYTES)
    family = Nifti2Header if len(raw_header(payload).binaryblock) == HEADER_BYTES else Nifti1Header
    return family.from_fileobj(io.BytesIO(payload))


def _looks_calibrated(stored: np.ndarray) -> bool:
    """Whether much of the picture lies where lung and the air around a patient have their Hounsfield units."""
    sample = stored[::4, ::4, ::4]
    return bool(((sample >= -1100) & (sample <= -100)).mean() > 0.1)


def _check_scaling(header: Any) -> None:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if np.isinf([slope, intercept]).any() or (np.isnan(intercept) and np.isfinite(slope) and slope != 0):
        raise Unusable(f"its scl_slope is {slope:g} and its scl_inter {intercept:g}", "Get the file again")
    if (slope == 0 or np.isnan(slope)) and np.isfinite(intercept) and intercept != 0:
        doubt(
            f"its scl_slope is {slope:g}, by which NIfTI has no scaling, and its scl_inter {intercept:g} is not added"
        )


def _three_axes(values: np.ndarray) -> np.ndarray:
    further = values.shape[3:]
    if values.dtype.kind == "V" or any(length != 1 for length in further):
        what = "colours" if values.dtype.kind == "V" else f"{int(np.prod(further))} volumes"
        raise Unusable(f"it holds {what}", "One volume of single numbers is read: export it as a file of its own")
    return values.reshape(values.shape[:3])
