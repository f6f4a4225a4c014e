"""Adam v2's crops: global and local ones for self-distillation, a whole and its four quarters for composition."""

from collections.abc import Mapping

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


class PartWholeCrops:
    """Random crops inside a base crop of one granularity, and a random whole with its quarters.

    The base crop is a square of side min(H, W) / 2^g anywhere in the image. In it lie one global crop for the teacher,
    another for the student, and the local crops. The whole is a second square of that side, away from the image's
    border where there is room. Its quarters are cut at its middle, and all five are rendered at one size, so that a
    quarter shows twice the detail. Every crop has its own intensities; student and teacher see the same rendering of
    whole and quarters.

    Args:
        size: pixels of global crops (released: 224).
        local_size: pixels of local crops (DINO: 96).
        local_crops: their number (released: 8).
        part_size: pixels of the whole and of each quarter (released: 224).
        granularity: g, 0 or more (released: 0, 1 and 2).
        margin: pixels of the image that the whole keeps from its border, along each axis where it can (released: 50).
        parts: False leaves out whole and quarters, which localisation alone does not need.
        global_area: range of a global crop's share of the base crop (DINO: 0.4 to 1).
        local_area: range of a local crop's share (DINO: 0.05 to 0.4).
        photometric: augmentation of intensities; None leaves them alone.

    Raises:
        ValueError: a negative count, granularity or margin, or a range outside (0, 1].

    Source: released code; methods section 2, Adam v2.
    """

    def __init__(
        self,
        size: int = 224,
        local_size: int = 96,
        local_crops: int = 8,
        part_size: int = 224,
        granularity: int = 0,
        margin: float = 50,
        parts: bool = True,
        global_area: tuple[float, float] = (0.4, 1.0),
        local_area: tuple[float, float] = (0.05, 0.4),
        photometric: ChangesIntensities | None = None,
    ):
        for key, value in {"local_crops": local_crops, "granularity": granularity, "margin": margin}.items():
            if value < 0:
                raise ValueError(f"{key} is {value}; expected 0 or more. Correct it in the config.")
        self.size, self.granularity, self.margin = size, granularity, margin
        self.local_names = tuple(f"local{index}" for index in range(local_crops))
        global_crop = AugmentedCrop(size, global_area, photometric=photometric)
        local_crop = AugmentedCrop(local_size, local_area, photometric=photometric)
        exact = AugmentedCrop(part_size, area=None, photometric=photometric)
        self.crops = {
            **dict.fromkeys(("teacher", "student"), global_crop),
            **dict.fromkeys(("whole", *QUARTERS) if parts else (), exact),
            **dict.fromkeys(self.local_names, local_crop),
        }

    def sample(self, generator: Generator, size: tuple[int, int]) -> Params:
        """Draw one image's crops.

        Returns:
            the parameters of every crop (`AugmentedCrop`) under its name: `teacher_box`, `local0_angle`, ...

        Raises:
            ValueError: an image smaller than a global crop, or so fine a granularity that a quarter or the smallest
                local crop would be thinner than a pixel.
        """
        check_fits(self.size, size, "size")
        side = min(size) / 2**self.granularity
        self._check_thickness(side)
        base_4, whole_4 = _square(generator, size, side, 0), _square(generator, size, side, self.margin)
        regions = {"whole": whole_4, **dict(zip(QUARTERS, quarter_boxes(whole_4), strict=True))}
        params: Params = {}
        for name, crop in self.crops.items():
            params |= add_prefix(crop.sample(generator, regions.get(name, base_4)), f"{name}_")
        return params

    def _check_thickness(self, side: float) -> None:
        thinnest = {
            name: thinnest_crop(side / 2 if name in QUARTERS else side, crop.area, crop.ratio)
            for name, crop in self.crops.items()
        }
        name = min(thinnest, key=lambda name: thinnest[name])
        what = f"granularity {self.granularity} makes squares of {side:.3g} pixels, of which the smallest `{name}` crop"
        check_thickness(thinnest[name], what, "Lower `granularity`, or raise `store_size`.")

    def boxes(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Boxes (B, 4) of all crops in pixels of the image, for drawing."""
        return {name: params[f"{name}_box"] for name in self.crops}

    @torch.no_grad()
    def render(self, images_BCHW: Tensor, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Render every crop by name, each (B, C, side, side) float32 in [0, 1]."""
        return {name: crop.render(images_BCHW, params, f"{name}_") for name, crop in self.crops.items()}


def _square(generator: Generator, size: tuple[int, int], side: float, margin: float) -> Tensor:
    """A square box (4,) anywhere in the image, at least `margin` from its border where there is room for that."""
    draws = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
    corner = []
    for length, draw in zip(size, draws, strict=True):
        free = length - side
        keep = margin if free >= 2 * margin else 0
        corner.append(keep + draw * (free - 2 * keep))
    return torch.tensor([*corner, corner[0] + side, corner[1] + side], dtype=torch.float32)
