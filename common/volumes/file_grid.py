"""The voxels of a volume's file as they were stored, whatever its orientation, and labels brought back to them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .geometry import FLIP_RAS
from .volume import Grid


@dataclass(frozen=True)
class FileGrid:
    """Where the voxels of a NIfTI file lie that has those of the volume's file, in the same order.

    Args:
        shape: voxels along (X, Y, Z), the fastest axis first.
        affine: (4, 4), index to mm towards the patient's right, front and head.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    @classmethod
    def of(cls, shape: Sequence[int], affine: np.ndarray, slowest_first: bool) -> "FileGrid":
        """Take them from what a format's `load` returns.

        Args:
            shape: of its array.
            affine: as in `geometry`.
            slowest_first: the order of that array's axes; NIfTI's runs the other way.
        """
        order = [2, 1, 0] if slowest_first else [0, 1, 2]
        first, second, third = (int(shape[axis]) for axis in order)
        # FLIP_RAS only permutes and changes signs: its transpose undoes it to the last bit.
        return cls((first, second, third), (FLIP_RAS.T @ affine)[:, [*order, 3]])

    @classmethod
    def like(cls, grid: Grid) -> "FileGrid":
        """Take those of a volume in memory, its axes reversed.

        Args:
            grid: of the volume.
        """
        affine = np.diag([*grid.spacing, 1.0])
        affine[:3, 3] = grid.origin
        return cls.of(grid.shape, affine, slowest_first=True)

    def labels_from(self, labels: np.ndarray, grid: Grid) -> np.ndarray:
        """Give each voxel of the file the label of the nearest voxel of another grid; beyond its edge the edge's.

        Args:
            labels: (D, H, W).
            grid: of `labels`.

        Returns:
            (X, Y, Z), of the type of `labels`.
        """
        from scipy.ndimage import affine_transform

        spacing = np.array(grid.spacing)
        ours = FLIP_RAS @ self.affine
        step, offset = ours[:3, :3] / spacing[:, None], (ours[:3, 3] - grid.origin) / spacing
        return affine_transform(labels, step, offset, self.shape, labels.dtype, order=0, mode="nearest")
