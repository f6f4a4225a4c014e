"""CT volumes and label maps in MetaImage (.mha, .mhd) and NRRD (.nrrd, .nhdr) through ITK."""

from pathlib import Path

import numpy as np

from ..files.errors import Unusable
from .geometry import FLIP_LPS
from .header_names import names_in_nrrd, refuse_label_map
from .hounsfield import hounsfield
from .itk_geometry import check_geometry, check_letters, in_millimetres, unit_told
from .itk_headers import TextHeader, check_size, read_header
from .plausible_size import check_voxels

SLOPE, OFFSET = "ElementToIntensityFunctionSlope", "ElementToIntensityFunctionOffset"


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the volume in Hounsfield units, axes reversed to (slowest, ..., fastest), and its affine.

    Raises:
        Unusable: as `load_labels`; or a label map that names its labels.
    """
    header, values, affine = _load(path)
    refuse_label_map(names_in_nrrd(header.pairs))
    return hounsfield(values, *_intensity(header)), affine


def load_labels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers that are labels, axes reversed to (slowest, ..., fastest), and their affine.

    Raises:
        Unusable: a header without spacing or orientation, or that declares more than there is.
    """
    header, values, affine = _load(path)
    slope, offset = _intensity(header)
    return (values if (slope, offset) == (1, 0) else values * slope + offset), affine


def voxel_files(path: Path) -> list[Path]:
    """The file that a detached header (.mhd, .nhdr) names for its voxels; nothing for other files, or if it is gone.

    Args:
        path: of any file.
    """
    header = read_header(path)
    told = header and header.voxels_in
    place = path.parent / (told or "")
    return [place] if told and place.is_file() else []


def _load(path: Path) -> tuple[TextHeader, np.ndarray, np.ndarray]:
    import itk

    header = read_header(path)
    if header is None:
        raise Unusable("its header is damaged", "Get the file again")
    check_geometry(header)
    beside = voxel_files(path)
    if header.voxels_in is not None and len(beside) != 1:
        problem = f"its voxels are said to be in {header.voxels_in}"
        raise Unusable(problem, "One file beside it is read: bring that here, or save header and voxels as one file")
    check_size(header, beside[0].stat().st_size if beside else path.stat().st_size - header.length)
    # Named, since ITK would choose by the suffix.
    image = itk.imread(str(path), imageio=(itk.NrrdImageIO if header.nrrd else itk.MetaImageIO).New())
    values = np.asarray(itk.array_from_image(image))
    if values.ndim != 3 or image.GetImageDimension() != 3:
        shape = " x ".join(map(str, values.shape))
        raise Unusable(f"it holds an array of {shape}", "One volume of single numbers is read: export it by itself")
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(itk.array_from_matrix(image.GetDirection())) @ np.diag(list(image.GetSpacing()))
    affine[:3, 3] = list(image.GetOrigin())
    check_letters(header, affine)
    # ITK counts x first, its array z first.
    affine = FLIP_LPS @ in_millimetres(header, affine) @ FLIP_LPS
    check_voxels(affine, values.shape, unit_told(header) or "none, taken for mm")
    return header, values, affine


def _intensity(header: TextHeader) -> tuple[float, float]:
    """MetaImage's scaling of values, which ITK leaves undone."""
    return float(header.fields.get(SLOPE, 1)), float(header.fields.get(OFFSET, 0))
