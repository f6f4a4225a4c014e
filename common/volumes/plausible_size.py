"""Whether voxels and a volume can have the size that a header gives them in a CT of a person."""

from collections.abc import Sequence

import numpy as np

from .doubts import doubt

VOXEL = (0.05, 20.0)  # mm along an axis: from the finest temporal bone to the coarsest attenuation map
EXTENT = 2500.0  # mm; tables reach 2 m


def check_voxels(affine: np.ndarray, shape: Sequence[int], unit: str) -> None:
    """Say where a spacing is read in a unit in which it is nobody's; micro-CT and animals may have it rightly.

    Args:
        affine: (4, 4), index to mm.
        shape: voxels along the axes of `affine`.
        unit: of length, in the words of the header.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    extent = spacing * np.array(shape[:3])
    low, high = VOXEL
    if (spacing >= low).all() and (spacing <= high).all() and (extent <= EXTENT).all():
        return
    voxel, whole = (" x ".join(f"{value:.4g}" for value in values) for values in (spacing, extent))
    doubt(
        f"its voxels have {voxel} mm and all of it {whole} mm, by its unit of length ({unit}): in a CT of a person "
        f"they have {low:g} to {high:g} mm, and all of it at most {EXTENT:g}. If its numbers are of another unit, "
        "write that into its header, or convert it from its DICOM series again"
    )
