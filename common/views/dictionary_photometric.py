"""Photometric transforms that MONAI lacks, as MONAI dictionary transforms; the operations are `Photometric`'s."""

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import convert_to_tensor
from torch import Tensor

from .boxes import check_range
from .photometric import adjust, equalise


class _RandPhotometricd(RandomizableTransform, MapTransform):
    """Base: change images (C, H, W) in [0, 1] of some keys by one draw."""

    def __init__(self, keys: KeysCollection, prob: float):
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)

    @abstractmethod
    def draw(self) -> Callable[[Tensor], Tensor]:
        """Draw one change of a batch of one."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Change every key alike, or none."""
        out = dict(data)
        self.randomize(None)
        if self._do_transform:
            change = self.draw()
            for key in self.key_iterator(out):
                out[key] = change(convert_to_tensor(out[key], track_meta=False)[None].float())[0]
        return out


class RandBrightnessContrastd(_RandPhotometricd):
    """Image times contrast plus brightness, saturated to [0, 1], as albumentations' RandomBrightnessContrast.

    Args:
        keys: images (C, H, W) in [0, 1].
        brightness: largest shift, as a share of the full range.
        contrast: largest change of the factor.
        prob: probability of the transform.

    Example:
        >>> transform = RandBrightnessContrastd("image", brightness=0.0, contrast=0.0, prob=1.0)
        >>> transform({"image": torch.full((1, 2, 2), 0.5)})["image"].unique()
        tensor([0.5000])
    """

    def __init__(self, keys: KeysCollection, brightness: float = 0.2, contrast: float = 0.2, prob: float = 0.1):
        super().__init__(keys, prob)
        self.brightness = brightness
        self.contrast = contrast

    def draw(self) -> Callable[[Tensor], Tensor]:
        """Draw a factor and a shift, each uniform about its neutral value."""
        factor = torch.tensor([1 + self.R.uniform(-self.contrast, self.contrast)], dtype=torch.float32)
        shift = torch.tensor([self.R.uniform(-self.brightness, self.brightness)], dtype=torch.float32)
        return lambda image_1CHW: adjust(image_1CHW, factor, shift)


class RandCLAHEd(_RandPhotometricd):
    """Contrast-limited adaptive histogram equalisation, by kornia.

    Args:
        keys: images (C, H, W) in [0, 1], one or three channels.
        limit: range of the clip limit, in multiples of a flat histogram.
        tiles: tiles per side.
        prob: probability of the transform.

    Example:
        >>> image = torch.linspace(0.4, 0.6, 64 * 64).reshape(1, 64, 64)
        >>> clear = RandCLAHEd("image", prob=1.0)({"image": image})["image"]
        >>> clear.shape == image.shape, bool(clear.std() > image.std())
        (True, True)
    """

    def __init__(
        self, keys: KeysCollection, limit: tuple[float, float] = (1.0, 4.0), tiles: int = 8, prob: float = 0.1
    ):
        super().__init__(keys, prob)
        self.limit = check_range(limit, (0.01, 256), "RandCLAHEd.limit")
        self.tiles = tiles

    def draw(self) -> Callable[[Tensor], Tensor]:
        """Draw a clip limit."""
        limit = torch.tensor([self.R.uniform(*self.limit)], dtype=torch.float32)
        return lambda image_1CHW: equalise(image_1CHW, limit, self.tiles)
