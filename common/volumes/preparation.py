"""What is done once to every volume, and the name under which its results are kept."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass

import numpy as np

from ..files.errors import UnreadableImage
from .organs import read_organs
from .read import file_errors, read_volume
from .resample import body_box, resample, resampled_grid
from .task import Task
from .volume import Grid

FORMAT = 3  # raised when the same settings give other results


@dataclass(frozen=True)
class Prepared:
    """A volume ready for crops.

    Args:
        hounsfield: int16 (D, H, W).
        organs: uint8 (D, H, W), 0 background, then the structures in order; None without a usable label map.
        grid: of both.
        refused: why there is a label map and it is not used.
    """

    hounsfield: np.ndarray
    organs: np.ndarray | None
    grid: Grid
    refused: UnreadableImage | None = None


@dataclass(frozen=True)
class Preparation:
    """The deterministic part of preprocessing.

    Args:
        spacing: mm between voxels, (D, H, W), each above 0. [P] 3.0 x 1.5 x 1.5.
        structures: of the label maps, in the order of their numbers; none leaves label maps unread.
        label_table: "v1", "v2" or "ratic" for label maps that do not name their values, see `label_names`.
        body_margin: mm to keep around the body; None keeps the whole volume. A crop about the centre is then about
            the body's centre.
    """

    spacing: tuple[float, float, float] = (3.0, 1.5, 1.5)
    structures: tuple[str, ...] = ()
    label_table: str | None = None
    body_margin: float | None = None

    def __post_init__(self) -> None:
        # A recipe gives lists; the name below must not depend on that.
        object.__setattr__(self, "spacing", tuple(float(value) for value in self.spacing))
        object.__setattr__(self, "structures", tuple(self.structures))
        if len(self.spacing) != 3 or not all(0 < value < float("inf") for value in self.spacing):
            raise ValueError(f"spacing is {self.spacing}; it must be three numbers of mm above 0, (D, H, W)")
        if self.body_margin is not None and self.body_margin < 0:
            raise ValueError(f"body_margin is {self.body_margin}; it must be 0 mm or more, or null for no cropping")

    @property
    def name(self) -> str:
        """10 hexadecimal digits that change with any setting."""
        settings = json.dumps([FORMAT, dataclasses.asdict(self)], sort_keys=True)
        return hashlib.sha256(settings.encode()).hexdigest()[:10]

    def prepare(self, task: Task) -> Prepared:
        """Read, resample and crop one volume, and its label map where it has one and structures are wanted.

        A label map that cannot be used costs the volume its organs only: which volumes a study diagnoses must not
        depend on the masks.

        Raises:
            UnreadableImage: the volume cannot be used.
        """
        volume = read_volume(task.image, task.calibration)
        grid = resampled_grid(volume.grid, self.spacing)
        organs, refused = None, None
        if task.organs is not None and self.structures:
            try:
                organs = read_organs(task.organs, self.structures, volume, self.label_table)
                organs = resample(organs, volume.grid, grid, order=0)
            except UnreadableImage as error:
                refused = error
        values = resample(volume.hounsfield, volume.grid, grid, order=1)
        if self.body_margin is None:
            return Prepared(values, organs, grid, refused)
        with file_errors(task.place):
            box = body_box(values, [round(self.body_margin / step) for step in self.spacing])
        z, y, x = (first + side.start * step for first, side, step in zip(grid.origin, box, self.spacing, strict=True))
        values, organs = values[box], None if organs is None else organs[box]
        depth, height, width = values.shape
        return Prepared(values, organs, Grid((depth, height, width), self.spacing, (z, y, x)), refused)
