"""Adam's anatomy decomposer: two augmented crops of one part of the image."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from common.views import AugmentedCrop, Params, TwoCrops, check_thickness, thinnest_crop

CROPS = ("query", "key")
GRIDS = ("halving", "square")


class PartCrops:
    """A query and a key crop of one anatomical part, drawn anew for every image and epoch.

    Level n divides the image into 2^n equal parts by halving it, first into a left and a right part, then into upper
    and lower ones, and so on in turn (B1). One part is drawn; it keeps its aspect ratio. Two independent crops of it
    are cut, changed and rotated, each in one resampling of the image and one of the rotation. Crops of small parts
    are enlarged (B12). Level 0 is the whole image: MoCo v2.

    Args:
        level: n, 0 or more; Adam's stages are 0, 2 and 4.
        crop: makes a crop of a part; its `size` is the side of both views.
        grid: `halving` for 2^n parts, `square` for the released code's n x n, which has as many at levels 2 and 4.

    Attributes:
        rows: parts from top to bottom.
        cols: parts from left to right.

    Raises:
        ValueError: a level below 0 or an unknown grid.

    Source: Adam, anatomy decomposer; methods section 2.
    """

    def __init__(self, level: int, crop: AugmentedCrop, grid: str = "halving"):
        if level < 0 or level != int(level):
            raise ValueError(f"level is {level}; expected a whole number from 0, such as 0, 2 or 4.")
        if grid not in GRIDS:
            raise ValueError(f"grid is {grid!r}; expected one of {', '.join(GRIDS)}.")
        self.level, self.crops, self.size = level, TwoCrops(crop, CROPS), crop.size
        halvings = level // 2, (level + 1) // 2
        self.rows, self.cols = [2**count for count in halvings] if grid == "halving" else [max(level, 1)] * 2

    def sample(self, generator: Generator, size: tuple[int, int]) -> Params:
        """Draw one image's part and its two crops.

        Args:
            generator: CPU generator; all randomness comes from it.
            size: (height, width) of the image in pixels.

        Returns:
            `part` (2,), its row and column; `part_box` (4,) in pixels; each crop's parameters under `query_` and
            `key_`.

        Raises:
            ValueError: the smallest crop of a part would be thinner than a pixel.
        """
        self._check(size)
        draws = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
        row, col = int(draws[0] * self.rows), int(draws[1] * self.cols)
        height, width = size[0] / self.rows, size[1] / self.cols
        box_4 = torch.tensor([row * height, col * width, (row + 1) * height, (col + 1) * width])
        return {"part": torch.tensor([row, col]), "part_box": box_4, **self.crops.sample(generator, box_4)}

    def boxes(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Boxes (B, 4) of the part and of both crops in pixels of the image, for drawing."""
        return {"part": params["part_box"], **self.crops.boxes(params)}

    def render(self, images_BCHW: Tensor, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Render `query` and `key`, each (B, C, size, size) float32 in [0, 1]."""
        return self.crops.render(images_BCHW, params)

    def _check(self, size: tuple[int, int]) -> None:
        height, width = size[0] / self.rows, size[1] / self.cols
        crop = self.crops.crop
        check_thickness(
            thinnest_crop(min(height, width), crop.area, crop.ratio),
            f"level {self.level} divides images of {size[0]} x {size[1]} pixels into {self.rows} x {self.cols} parts "
            f"of {height:.3g} x {width:.3g}, and the smallest crop of a part (`area` {crop.area})",
            "Lower `level`, or raise `store_size`.",
        )
