"""One random crop of a region, flipped, rotated and changed in brightness: what most methods make their views of.

Shapes: B images, C channels, H W pixels, S pixels of a view's side.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Generator, Tensor

from ..sampling import Params
from .boxes import check_range, random_resized_box
from .prefixes import take_prefix
from .resample import crops_resize, rotate

VIEW = "view"  # of one crop by itself
GEOMETRY = ("box", "flip", "angle")  # of a crop; what else it draws is its photometric augmentation's


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
        own = {f"{VIEW}_{name}": value for name, value in take_prefix(params, prefix).items()}
        return render_together(images_BCHW, own, {VIEW: self})[VIEW]


@torch.no_grad()
def render_together(
    images_BCHW: Tensor, params: Mapping[str, Tensor], crops: Mapping[str, AugmentedCrop]
) -> dict[str, Tensor]:
    """Render several crops of every image, by as many operations as one of each size needs.

    Crops of one size, filter and augmentation are rendered as one batch; every image of a batch has parameters of its
    own anyway.

    Args:
        images_BCHW: uint8 in 0..255, or float in [0, 1].
        params: stacked parameters of each crop, under its name and `_`.
        crops: by name.

    Returns:
        each crop by its name, float32 (B, C, S, S) in [0, 1].
    """
    views: dict[str, Tensor] = {}
    for names in _alike(crops):
        own = [take_prefix(params, f"{name}_") for name in names]
        boxes_VB4, flip_VB, angle_VB = (torch.stack([one[key] for one in own]) for key in GEOMETRY)
        crop = crops[names[0]]
        rotated = sum(crops[name].rotation > 0 for name in names)
        crops_VBCSS = crops_resize(images_BCHW, boxes_VB4, crop.size, flip_VB, crop.antialias)
        if crop.rotate_first:
            crops_VBCSS = _rotated(crops_VBCSS, angle_VB, rotated)
        if crop.photometric is not None:
            crops_VBCSS = change_together(crop.photometric, crops_VBCSS, own)
        if not crop.rotate_first:
            crops_VBCSS = _rotated(crops_VBCSS, angle_VB, rotated)
        views |= dict(zip(names, crops_VBCSS, strict=True))
    return {name: views[name] for name in crops}


def change_together(
    photometric: ChangesIntensities, crops_VBCSS: Tensor, own: Sequence[Mapping[str, Tensor]]
) -> Tensor:
    """Change V crops of every image, each by its own stacked parameters, as one batch."""
    together = {key: torch.cat([one[key] for one in own]) for key in own[0] if key not in GEOMETRY}
    return photometric.apply(crops_VBCSS.flatten(0, 1), together).unflatten(0, crops_VBCSS.shape[:2])


def _alike(crops: Mapping[str, AugmentedCrop]) -> list[list[str]]:
    """Names of crops that are rendered alike, those that are rotated before those that are not."""
    groups: dict[tuple, list[str]] = {}
    for name, crop in sorted(crops.items(), key=lambda item: not item[1].rotation):
        groups.setdefault((crop.size, crop.antialias, id(crop.photometric), crop.rotate_first), []).append(name)
    return list(groups.values())


def _rotated(crops_VBCSS: Tensor, angle_VB: Tensor, count: int) -> Tensor:
    """Rotate the first `count` crops of every image."""
    if not count:
        return crops_VBCSS
    turned = rotate(crops_VBCSS[:count].flatten(0, 1), angle_VB[:count].flatten()).unflatten(0, (count, -1))
    return turned if count == len(crops_VBCSS) else torch.cat([turned, crops_VBCSS[count:]])
