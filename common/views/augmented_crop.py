"""One random crop of a region, flipped, rotated and changed in brightness: what most methods make their views of.

Shapes: B images, C channels, H W pixels, S pixels of a view's side.
"""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Generator, Tensor

from ..sampling import Params
from .boxes import check_range, random_resized_box
from .prefixes import take_prefix
from .resample import crop_resize, rotate


class ChangesIntensities(Protocol):
    """A photometric augmentation: `Photometric`, `ColourJitter`."""

    def sample(self, generator: Generator) -> Params:
        """Draw one image's parameters."""

    def apply(self, images_BCHW: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Change a batch by stacked parameters."""


class AugmentedCrop:
    """A random resized crop inside a region of the image, with flip, photometric changes and rotation.

    The order is crop, flip, intensities, rotation as Adam's (methods B11), or rotation before the intensities as
    LeADER's and SRHRS's, where a changed contrast makes the black corners grey. Crop and flip are one resampling; an
    image that is rotated is resampled a second time, as theirs.

    Args:
        size: S, side of the view in pixels.
        area: lowest and highest share of the region's area, in (0, 1]; None takes the whole region.
        ratio: lowest and highest width / height of the crop.
        flip: probability of mirroring left to right.
        rotation: largest angle in degrees, drawn uniformly from -rotation to rotation; 0 to 180.
        photometric: augmentation of intensities; None leaves them alone.
        antialias: low-pass filter where the crop is shrunk.
        rotate_first: rotation comes before the intensities.
        centred: the crop lies about the region's centre instead of anywhere in it.

    Raises:
        ValueError: a probability, angle or range outside its bounds.

    Example:
        >>> view = AugmentedCrop(size=32, area=(0.25, 0.25), ratio=(1.0, 1.0))
        >>> params = view.sample(Generator().manual_seed(0), (64, 64))
        >>> (params["box"][2:] - params["box"][:2]).tolist()  # height and width of a quarter of the image
        [32.0, 32.0]
        >>> view.render(torch.rand(1, 1, 64, 64), {name: value[None] for name, value in params.items()}).shape
        torch.Size([1, 1, 32, 32])
    """

    def __init__(
        self,
        size: int,
        area: tuple[float, float] | None = (0.2, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        flip: float = 0.0,
        rotation: float = 0.0,
        photometric: ChangesIntensities | None = None,
        antialias: bool = True,
        rotate_first: bool = False,
        centred: bool = False,
    ):
        if not 0 <= flip <= 1:
            raise ValueError(f"`flip` is {flip}; expected a probability in [0, 1].")
        if not 0 <= rotation <= 180:
            raise ValueError(f"`rotation` is {rotation}; expected degrees in [0, 180].")
        self.size = size
        self.area = None if area is None else check_range(area, (1e-6, 1), "area")
        self.ratio = check_range(ratio, (0.01, 100), "ratio")
        self.flip, self.rotation = flip, rotation
        self.photometric = photometric
        self.antialias = antialias
        self.rotate_first, self.centred = rotate_first, centred

    def sample(self, generator: Generator, region: tuple[int, int] | Tensor) -> Params:
        """Draw one crop.

        Args:
            generator: CPU generator; a fixed count of numbers is drawn from it.
            region: (height, width) of the image, or a box (4,) in its pixels.

        Returns:
            `box` (4,) in pixels of the image, `flip` (bool), `angle` in degrees, counter-clockwise, and the photometric
            parameters.
        """
        region_4 = region if isinstance(region, Tensor) else torch.tensor([0.0, 0.0, *region])
        flip, angle = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
        params = {
            "box": self._box(generator, region_4.float()),
            "flip": torch.tensor(flip < self.flip),
            "angle": torch.tensor(self.rotation * (2 * angle - 1), dtype=torch.float32),
        }
        return params | (self.photometric.sample(generator) if self.photometric is not None else {})

    def _box(self, generator: Generator, region_4: Tensor) -> Tensor:
        if self.area is None:
            return region_4
        top, left, bottom, right = region_4.tolist()
        box_4 = random_resized_box(generator, (bottom - top, right - left), self.area, self.ratio, self.centred)
        return box_4 + torch.tensor([top, left, top, left])

    @torch.no_grad()
    def render(self, images_BCHW: Tensor, params: Mapping[str, Tensor], prefix: str = "") -> Tensor:
        """Render the crop of every image.

        Args:
            images_BCHW: uint8 in 0..255, or float in [0, 1].
            params: stacked parameters from `sample`.
            prefix: of this crop's names in `params`.

        Returns:
            float32 (B, C, S, S) in [0, 1].
        """
        own = take_prefix(params, prefix)
        views = crop_resize(images_BCHW, own["box"], self.size, own["flip"], self.antialias)
        if self.rotation and self.rotate_first:
            views = rotate(views, own["angle"])
        if self.photometric is not None:
            views = self.photometric.apply(views, own)
        return rotate(views, own["angle"]) if self.rotation and not self.rotate_first else views
