"""Crops that grow finer within one training."""

import copy
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
from torch import Generator, Tensor

from common.views import (
    QUARTERS,
    AugmentedCrop,
    Params,
    add_prefix,
    check_fits,
    check_thickness,
    render_together,
    thinnest_crop,
)

logger = logging.getLogger(__name__)


class GranularCrops(ABC):
    """Crops of a square of side min(H, W) / 2^g, whose granularity g grows with the epochs of one training.

    Granularities are parts of one run, so that optimiser and schedules go on from one to the next. Parameters say all
    that rendering needs: only `sample` depends on the granularity.

    Args:
        crops: how each crop is made, by name.
        granularity_epochs: epochs of granularity 0, 1, 2, ..., of which some may be 0; the last one goes on when they
            are over.

    Attributes:
        size: pixels of the largest crops.
        granularity: g, of the first epoch or of the one that `at` was given.
        teacher_names: crops that the teacher codes.
        student_names: crops that the student codes.
        part_names: the whole and its quarters, or none.

    Raises:
        ValueError: numbers of epochs that are negative or all 0.
    """

    size: int
    teacher_names: tuple[str, ...]
    student_names: tuple[str, ...]
    part_names: tuple[str, ...] = ()

    def __init__(self, crops: Mapping[str, AugmentedCrop], granularity_epochs: Sequence[int]):
        if not any(granularity_epochs) or min(granularity_epochs) < 0:
            raise ValueError(
                f"granularity_epochs is {list(granularity_epochs)}; expected the epochs of granularity 0, 1, 2, ...: "
                "numbers of 0 or more, one of them above 0."
            )
        self.crops = dict(crops)
        self.granularity_epochs = tuple(granularity_epochs)
        self.finest = max(g for g, epochs in enumerate(self.granularity_epochs) if epochs)
        self.granularity = self._granularity(0)

    def at(self, epoch: int) -> "GranularCrops":
        """The same crops at the granularity of an epoch, counted from 0."""
        view = copy.copy(self)
        view.granularity = self._granularity(epoch)
        return view

    def _granularity(self, epoch: int) -> int:
        ends = accumulate(self.granularity_epochs)
        return next((g for g, end in enumerate(ends) if epoch < end), self.finest)

    def warn_unless_reached(self, epochs: int) -> None:
        """Say which granularities a run of so many epochs leaves out."""
        left_out = range(self._granularity(epochs - 1) + 1, self.finest + 1)
        if len(left_out):
            logger.warning(
                "epochs is %d: granularity %s is never seen. Give granularity_epochs (now %s) and leave epochs out.",
                epochs,
                ", ".join(map(str, left_out)),
                list(self.granularity_epochs),
            )

    def sample(self, generator: Generator, size: tuple[int, int]) -> Params:
        """Draw one image's crops.

        Returns:
            the parameters of every crop (`AugmentedCrop`) under its name: `whole_box`, `local0_angle`, ...

        Raises:
            ValueError: an image smaller than a crop, or so fine a granularity, now or later in the run, that a quarter
                or the smallest crop would be thinner than a pixel.
        """
        check_fits(self.size, size, "size")
        self._check_thickness(min(size) / 2**self.finest)
        regions = self._regions(generator, size, min(size) / 2**self.granularity)
        params: Params = {}
        for name, crop in self.crops.items():
            params |= add_prefix(crop.sample(generator, regions[name]), f"{name}_")
        return params

    @abstractmethod
    def _regions(self, generator: Generator, size: tuple[int, int], side: float) -> dict[str, Tensor]:
        """In which box (4,) each crop lies, for a square of this side."""

    def _check_thickness(self, side: float) -> None:
        thinnest = {
            name: thinnest_crop(side / 2 if name in QUARTERS else side, crop.area, crop.ratio)
            for name, crop in self.crops.items()
        }
        name = min(thinnest, key=lambda name: thinnest[name])
        what = f"granularity {self.finest} makes squares of {side:.3g} pixels, of which the smallest `{name}` crop"
        check_thickness(thinnest[name], what, "Lower it (`granularity_epochs`), or raise `store_size`.")

    def boxes(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Boxes (B, 4) of all crops in pixels of the image, for drawing: the whole and its quarters first."""
        names = [*self.part_names, *(name for name in self.crops if name not in self.part_names)]
        return {name: params[f"{name}_box"] for name in names}

    @torch.no_grad()
    def render(self, images_BCHW: Tensor, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Render every crop by name, each (B, C, side, side) float32 in [0, 1]."""
        return render_together(images_BCHW, params, self.crops)


def square_box(generator: Generator, size: tuple[int, int], side: float, margin: float) -> Tensor:
    """A square box (4,) anywhere in the image, at least `margin` from its border where there is room for that."""
    draws = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
    corner = []
    for length, draw in zip(size, draws, strict=True):
        free = length - side
        keep = margin if free >= 2 * margin else 0
        corner.append(keep + draw * (free - 2 * keep))
    return torch.tensor([*corner, corner[0] + side, corner[1] + side], dtype=torch.float32)
