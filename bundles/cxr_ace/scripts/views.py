"""ACE's two aligned crops, and the plain crops of its baseline."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from common.views import (
    AugmentedCrop,
    Params,
    Photometric,
    TwoCrops,
    add_prefix,
    change_together,
    check_fits,
    check_range,
    crops_resize,
    random_resized_box,
    take_prefix,
)

CROPS = ("fine", "coarse")
MINIMUM_OVERLAP = 4  # cells per axis (methods A19)


class AlignedCrops:
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
        self.cells, self.tokens, self.size = cells, tokens, tokens * cell
        self.area = check_range(area, (0.01, 1), "area")
        self.ratio = check_range(ratio, (0.01, 100), "ratio")
        self.photometric, self.antialias = photometric, antialias

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
        if self.photometric is not None:
            for crop in CROPS:
                params |= add_prefix(self.photometric.sample(generator), f"{crop}_")
        return params

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

    @torch.no_grad()
    def render(self, images_BCHW: Tensor, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Render `fine` and `coarse`, each (B, C, size, size) float32 in [0, 1]."""
        boxes_VB4 = torch.stack(list(self.boxes(params).values()))
        crops_VBCSS = crops_resize(images_BCHW, boxes_VB4, self.size, antialias=self.antialias)
        if self.photometric is not None:
            own = [take_prefix(params, f"{crop}_") for crop in CROPS]
            crops_VBCSS = change_together(self.photometric, crops_VBCSS, own)
        return dict(zip(CROPS, crops_VBCSS, strict=True))


class PlainCrops(TwoCrops):
    """Two independent random resized crops, named as ACE's but without alignment: the DINO baseline.

    As with `AlignedCrops`, both boxes are drawn before any intensities; `TwoCrops` draws one crop after the other.

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
        super().__init__(AugmentedCrop(size, area, ratio, photometric=photometric), CROPS)
        self.area = area

    def sample(self, generator: Generator, region: tuple[int, int]) -> Params:  # type: ignore[override]  # no boxes
        """Draw both crops of one image of (height, width) pixels; neither is mirrored or rotated."""
        check_fits(self.size, region, "size")
        params = {f"{name}_box": random_resized_box(generator, region, self.area, self.crop.ratio) for name in CROPS}
        photometric = self.crop.photometric
        for name in CROPS:
            drawn = photometric.sample(generator) if photometric is not None else {}
            params |= add_prefix({"flip": torch.tensor(False), "angle": torch.tensor(0.0)} | drawn, f"{name}_")
        return params
