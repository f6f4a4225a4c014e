"""ACE's two aligned crops, and the plain crops of its baseline."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from common.views import Params, Photometric, add_prefix, crop_resize, take_prefix
from common.views.boxes import check_fits, check_range, random_resized_box

CROPS = ("fine", "coarse")
MINIMUM_OVERLAP = 4  # cells per axis (methods A19)


class CropPair:
    """What both kinds of crops share: two boxes per image, rendered to one size and changed independently."""

    def __init__(
        self,
        size: int,
        area: tuple[float, float],
        ratio: tuple[float, float],
        photometric: Photometric | None,
        antialias: bool = True,
    ):
        self.size = size
        self.area = check_range(area, (0.01, 1), "area")
        self.ratio = check_range(ratio, (0.01, 100), "ratio")
        self.photometric = photometric
        self.antialias = antialias

    def boxes(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Boxes (B, 4) of `fine` and `coarse` in pixels of the image, for rendering and for drawing."""
        return {crop: params[f"{crop}_box"] for crop in CROPS}

    @torch.no_grad()
    def render(self, images_BCHW: Tensor, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Render `fine` and `coarse`, each (B, C, size, size) float32 in [0, 1]."""
        views = {}
        for crop, boxes_B4 in self.boxes(params).items():
            views[crop] = crop_resize(images_BCHW, boxes_B4, self.size, antialias=self.antialias)
            if self.photometric is not None:
                views[crop] = self.photometric.apply(views[crop], take_prefix(params, f"{crop}_"))
        return views

    def _sample_photometric(self, generator: Generator) -> Params:
        if self.photometric is None:
            return {}
        return {k: v for crop in CROPS for k, v in add_prefix(self.photometric.sample(generator), f"{crop}_").items()}


class AlignedCrops(CropPair):
    """A fine and a coarse crop of one image whose tokens lie on the same grid.

    A random resized crop of the image is divided into N x N cells. The fine crop covers n x n cells at
    native scale, the coarse crop 2n x 2n cells at half scale; both have n x n tokens of c x c pixels, and
    one coarse token covers the cells of 2x2 fine tokens. The random resized crop and the cells are
    composed into one box per crop, so that each crop is resampled once.

    Args:
        cells: N, cells per side of the image (paper: 32).
        tokens: n, tokens per side of a crop; even (paper: 14).
        cell: c, pixels per token, the encoder's stride (paper: 32, crops of 448 pixels).
        area: range of the random resized crop's share of the image.
        ratio: range of its width / height.
        photometric: augmentation drawn anew for each crop; None leaves intensities alone.
        antialias: False shrinks the coarse crop as the release does (A20).

    Raises:
        ValueError: `tokens` is odd, or `cells` cannot hold the coarse crop.

    Source: ACE supplement and released (2, 2) sampler; methods sections 3 and 10.
    """

    def __init__(
        self,
        cells: int = 32,
        tokens: int = 14,
        cell: int = 32,
        area: tuple[float, float] = (0.85, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        photometric: Photometric | None = None,
        antialias: bool = True,
    ):
        if tokens < MINIMUM_OVERLAP or tokens % 2:
            raise ValueError(f"tokens is {tokens}; expected an even number >= {MINIMUM_OVERLAP}, such as 14 or 8.")
        if cells < 2 * tokens:
            raise ValueError(f"cells is {cells}; the coarse crop needs at least 2 * tokens = {2 * tokens} cells.")
        super().__init__(tokens * cell, area, ratio, photometric, antialias)
        self.cells, self.tokens = cells, tokens

    def sample(self, generator: Generator, size: tuple[int, int]) -> Params:
        """Draw one image's crops.

        Returns:
            `base_box` (4,) in pixels, `coarse_origin` and `fine_origin` (2,) as (row, column) in cells, and each
            crop's photometric parameters under `fine_` and `coarse_`.
        """
        check_fits(self.size, size, "tokens * cell")
        params = {"base_box": random_resized_box(generator, size, self.area, self.ratio)}
        draws = torch.rand(4, generator=generator, dtype=torch.float64).tolist()
        coarse = [int(draw * (self.cells - 2 * self.tokens + 1)) for draw in draws[:2]]
        fine = [self._fine_origin(origin, draw) for origin, draw in zip(coarse, draws[2:], strict=True)]
        params |= {"coarse_origin": torch.tensor(coarse), "fine_origin": torch.tensor(fine)}
        return params | self._sample_photometric(generator)

    def _fine_origin(self, coarse: int, draw: float) -> int:
        """One axis: uniform over origins of the coarse origin's parity that share enough cells with it."""
        first = max(0, coarse - self.tokens + MINIMUM_OVERLAP)
        last = min(self.cells - self.tokens, coarse + 2 * self.tokens - MINIMUM_OVERLAP)
        choices = range(first + (first - coarse) % 2, last + 1, 2)
        return choices[int(draw * len(choices))]

    def boxes(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Boxes (B, 4) of both crops in pixels of the image, for rendering and for drawing."""
        base_B22 = params["base_box"].unflatten(1, (2, 2))
        corner_B2 = base_B22[:, 0]
        cell_B2 = (base_B22[:, 1] - corner_B2) / self.cells
        boxes = {}
        for crop, span in (("fine", self.tokens), ("coarse", 2 * self.tokens)):
            first_B2 = corner_B2 + params[f"{crop}_origin"] * cell_B2
            boxes[crop] = torch.cat([first_B2, first_B2 + span * cell_B2], dim=1)
        return boxes


class PlainCrops(CropPair):
    """Two independent random resized crops, named as ACE's but without alignment: the DINO baseline.

    Args:
        size: side of a crop in pixels.
        area: range of a crop's share of the image (DINO's global crops: 0.4 to 1).
        ratio: range of its width / height.
        photometric: augmentation drawn anew for each crop; None leaves intensities alone.
    """

    def __init__(
        self,
        size: int = 448,
        area: tuple[float, float] = (0.4, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        photometric: Photometric | None = None,
    ):
        super().__init__(size, area, ratio, photometric)

    def sample(self, generator: Generator, size: tuple[int, int]) -> Params:
        """Draw `fine_box` and `coarse_box` (4,) in pixels, and each crop's photometric parameters."""
        check_fits(self.size, size, "size")
        params = {f"{crop}_box": random_resized_box(generator, size, self.area, self.ratio) for crop in CROPS}
        return params | self._sample_photometric(generator)
