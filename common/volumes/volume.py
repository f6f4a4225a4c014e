"""A CT volume in memory, and the grid on which it lies."""

from dataclasses import dataclass

import numpy as np

SAME = 0.1  # voxels: what writing an affine in single precision and back moves a corner stays far below


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a volume lie; its axes are the patient's.

    Args:
        shape: voxels along (D, H, W), each 1 or more.
        spacing: mm between neighbours along (D, H, W), each above 0.
        origin: mm, centre of voxel (0, 0, 0) as (towards the head, the back, the patient's left): DICOM's
            coordinates in reverse order.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]

    def matches(self, other: "Grid") -> bool:
        """Say whether both have the same voxels: no corner differs by more than a tenth of a voxel."""
        if self.shape != other.shape:
            return False
        spacing, origin = np.array(self.spacing), np.array(self.origin)
        last = np.array(self.shape) - 1
        at_first = np.abs(np.array(other.origin) - origin)
        at_last = np.abs(np.array(other.origin) + last * other.spacing - origin - last * spacing)
        return bool((np.maximum(at_first, at_last) <= SAME * spacing).all())

    def __str__(self) -> str:
        shape = " x ".join(map(str, self.shape))
        spacing, origin = (", ".join(f"{value:g}" for value in values) for values in (self.spacing, self.origin))
        return f"{shape} voxels of ({spacing}) mm from ({origin}) mm"


@dataclass(frozen=True)
class Volume:
    """A CT volume in the one orientation that all code here uses.

    Args:
        hounsfield: (D, H, W), int16 or float32, Hounsfield units; D grows to the head, H to the back, W to
            the patient's left.
        spacing: as `Grid`.
        origin: as `Grid`.
    """

    hounsfield: np.ndarray
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]

    @property
    def grid(self) -> Grid:
        """The grid of its voxels."""
        depth, height, width = self.hounsfield.shape
        return Grid((depth, height, width), self.spacing, self.origin)
