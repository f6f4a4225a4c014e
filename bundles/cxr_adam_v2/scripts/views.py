"""Adam v2's crops: of a base crop for localisation alone, of a whole and its quarters for all three losses."""

import copy
import logging
from collections.abc import Mapping, Sequence
from itertools import accumulate, cycle

import torch
from torch import Generator, Tensor

from common.views import (
    QUARTERS,
    AugmentedCrop,
    Params,
    add_prefix,
    check_fits,
    check_thickness,
    quarter_boxes,
    thinnest_crop,
)
from common.views.augmented_crop import ChangesIntensities

logger = logging.getLogger(__name__)

ASPECTS = ((3 / 4.5, 1.0), (1.0, 4.5 / 3))  # of the LCD stage's local crops in turn: upright, then lying


class GranularCrops:
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

    def _regions(self, generator: Generator, size: tuple[int, int], side: float) -> dict[str, Tensor]:
        """In which box (4,) each crop lies, for a square of this side."""
        raise NotImplementedError

    def _check_thickness(self, side: float) -> None:
        thinnest = {
            name: thinnest_crop(side / 2 if name in QUARTERS else side, crop.area, crop.ratio)
            for name, crop in self.crops.items()
        }
        name = min(thinnest, key=lambda name: thinnest[name])
        what = f"granularity {self.finest} makes squares of {side:.3g} pixels, of which the smallest `{name}` crop"
        check_thickness(thinnest[name], what, "Lower it (`granularity_epochs`), or raise `store_size`.")

    def boxes(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Boxes (B, 4) of all crops in pixels of the image, for drawing."""
        return {name: params[f"{name}_box"] for name in self.crops}

    @torch.no_grad()
    def render(self, images_BCHW: Tensor, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Render every crop by name, each (B, C, side, side) float32 in [0, 1]."""
        return {name: crop.render(images_BCHW, params, f"{name}_") for name, crop in self.crops.items()}


class LocalisationCrops(GranularCrops):
    """The L stage: random crops inside a base crop, which lies anywhere in the image.

    The teacher sees both global crops, the student all. Every crop has its own intensities and rotation.

    Args:
        size: pixels of global crops (released: 224).
        local_size: pixels of local crops (DINO: 96).
        local_crops: their number (released: 8).
        global_area: range of a global crop's share of the base crop (released: 0.8 to 1).
        local_area: range of a local crop's share (released: 0.05 to 0.4).
        rotation: largest angle in degrees (released: 30).
        photometric: augmentation of intensities; None leaves them alone.
        granularity_epochs: see `GranularCrops` (released: 200, 200, 100).

    Raises:
        ValueError: a negative count, or a range outside (0, 1].

    Source: released code; methods section 2, Adam v2.
    """

    def __init__(
        self,
        size: int = 224,
        local_size: int = 96,
        local_crops: int = 8,
        global_area: tuple[float, float] = (0.8, 1.0),
        local_area: tuple[float, float] = (0.05, 0.4),
        rotation: float = 30.0,
        photometric: ChangesIntensities | None = None,
        granularity_epochs: Sequence[int] = (200, 200, 100),
    ):
        if local_crops < 0:
            raise ValueError(f"local_crops is {local_crops}; expected 0 or more. Correct it in the config.")
        self.size = size
        self.teacher_names = ("global0", "global1")
        self.student_names = (*self.teacher_names, *_local_names(local_crops))
        global_crop = AugmentedCrop(size, global_area, rotation=rotation, photometric=photometric)
        local_crop = AugmentedCrop(local_size, local_area, rotation=rotation, photometric=photometric)
        crops = {name: global_crop if name in self.teacher_names else local_crop for name in self.student_names}
        super().__init__(crops, granularity_epochs)

    def _regions(self, generator: Generator, size: tuple[int, int], side: float) -> dict[str, Tensor]:
        return dict.fromkeys(self.crops, _square(generator, size, side, 0))


class PartWholeCrops(GranularCrops):
    """The LCD stage: a random whole with its quarters, and student crops about its centre, from small to large.

    The whole keeps away from the image's border where there is room. The teacher codes it alone; the student codes one
    global crop and the local ones, which are concentric with it, each in a range of areas of its own. Quarters are cut
    at the middle; at the released sizes a quarter shows twice the detail. Every crop has its own intensities and
    rotation; student and teacher see the same rendering of whole and quarters.

    Args:
        size: pixels of the whole and of the global crop (released: 224).
        local_size: pixels of local crops (released: 96).
        part_size: pixels of a quarter (released: 224).
        global_area: range of the global crop's share of the whole (released: 0.8 to 1).
        local_areas: range of each local crop's share; their aspect ratios are 2/3 to 1 and 1 to 3/2 in turn.
        margin: pixels of the image that the whole keeps from its border, along each axis where it can (released: 50).
        rotation: largest angle in degrees (released: 10).
        photometric: augmentation of intensities; None leaves them alone.
        granularity_epochs: see `GranularCrops` (released: 10, 90, 165).

    Raises:
        ValueError: a negative margin, or a range outside (0, 1].

    Source: released code; methods section 2, Adam v2.
    """

    def __init__(
        self,
        size: int = 224,
        local_size: int = 96,
        part_size: int = 224,
        global_area: tuple[float, float] = (0.8, 1.0),
        local_areas: Sequence[tuple[float, float]] = ((0.05, 0.1), *((n / 10, (n + 1) / 10) for n in range(1, 8))),
        margin: float = 50,
        rotation: float = 10.0,
        photometric: ChangesIntensities | None = None,
        granularity_epochs: Sequence[int] = (10, 90, 165),
    ):
        if margin < 0:
            raise ValueError(f"margin is {margin}; expected 0 or more. Correct it in the config.")
        self.size, self.margin = size, margin
        self.part_names = ("whole", *QUARTERS)
        self.teacher_names = ("whole",)
        self.student_names = ("global", *_local_names(len(local_areas)))

        def crop(pixels: int, area: tuple[float, float] | None, **shape: tuple[float, float]) -> AugmentedCrop:
            return AugmentedCrop(pixels, area, **shape, rotation=rotation, photometric=photometric, centred=True)

        crops = {
            "whole": crop(size, None),
            "global": crop(size, global_area),
            **dict.fromkeys(QUARTERS, crop(part_size, None)),
            **{
                name: crop(local_size, area, ratio=ratio)
                for name, area, ratio in zip(self.student_names[1:], local_areas, cycle(ASPECTS), strict=False)
            },
        }
        super().__init__(crops, granularity_epochs)

    def _regions(self, generator: Generator, size: tuple[int, int], side: float) -> dict[str, Tensor]:
        whole_4 = _square(generator, size, side, self.margin)
        quarters = dict(zip(QUARTERS, quarter_boxes(whole_4), strict=True))
        return {name: quarters.get(name, whole_4) for name in self.crops}


def _local_names(count: int) -> tuple[str, ...]:
    return tuple(f"local{index}" for index in range(count))


def _square(generator: Generator, size: tuple[int, int], side: float, margin: float) -> Tensor:
    """A square box (4,) anywhere in the image, at least `margin` from its border where there is room for that."""
    draws = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
    corner = []
    for length, draw in zip(size, draws, strict=True):
        free = length - side
        keep = margin if free >= 2 * margin else 0
        corner.append(keep + draw * (free - 2 * keep))
    return torch.tensor([*corner, corner[0] + side, corner[1] + side], dtype=torch.float32)
