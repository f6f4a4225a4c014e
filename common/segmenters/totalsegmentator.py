"""TotalSegmentator's fast model as a segmenter of `segment_ct.py`."""

from importlib.metadata import version

import numpy as np

from ..volumes import Volume
from ..volumes.file_grid import FileGrid
from ..volumes.geometry import FLIP_RAS, canonical

TASK = "total"


class TotalSegmentator:
    """117 structures (of version 2) on a CT volume, from the 3 mm model.

    Args:
        device: "cpu", "cuda", "cuda:1" ...

    Raises:
        ModuleNotFoundError: it is not installed; the message says how to install it.

    Source: [P] masks by its fast mode. Its Python interface: `totalsegmentator/python_api.py` of version 2.18.
    """

    def __init__(self, device: str):
        try:
            from totalsegmentator.map_to_binary import class_map
            from totalsegmentator.python_api import totalsegmentator
        except ModuleNotFoundError as error:
            remedy = "pip install -r requirements-segmentation.txt, or use --backend bundle"
            raise ModuleNotFoundError(f"TotalSegmentator cannot be imported ({error}): {remedy}") from error
        self._segment, self._device = totalsegmentator, device.replace("cuda", "gpu")
        # Its own table: ids differ between its versions, names do not.
        self.names = {name: number for number, name in class_map[TASK].items()}
        self.identity = {"backend": "totalsegmentator", "version": version("TotalSegmentator"), "task": TASK}

    def __call__(self, volume: Volume) -> np.ndarray:
        """Label a volume.

        Args:
            volume: Hounsfield units.

        Returns:
            Integers (D, H, W) as in `names`.
        """
        from nibabel.nifti1 import Nifti1Image

        own = FileGrid.like(volume.grid)
        image = Nifti1Image(np.ascontiguousarray(volume.hounsfield.transpose(2, 1, 0)), own.affine)
        labelled = self._segment(image, None, ml=True, fast=True, task=TASK, device=self._device, quiet=True)
        values, grid = canonical(np.asarray(labelled.dataobj), FLIP_RAS @ labelled.affine, order=0, outside=0)
        if not grid.matches(volume.grid):
            raise RuntimeError(f"TotalSegmentator was given {volume.grid} and returned {grid}")
        return values
