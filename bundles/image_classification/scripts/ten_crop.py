"""Averaging predictions over ten crops of an image.

Shapes: B batch, C channels, H W pixels, K classes.
"""

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import Inferer, SimpleInferer
from monai.transforms import CenterSpatialCropd, Identityd, MapTransform
from torch import Tensor


class TenCropInferer(Inferer):
    """Mean probability over the four corners, the centre, and the mirror images of these five (methods, section 7).

    Images arrive larger than the crop: 256 for crops of 224 in the released benchmark. The mean is one of probabilities
    and not of logits, and is returned as a logit (its logarithm for exclusive classes), so that postprocessing
    stays the same with and without crops.

    Args:
        size: side of a crop in pixels.
        exclusive: probabilities are a softmax over classes instead of a sigmoid of each.
    """

    def __init__(self, size: int, exclusive: bool = False):
        self.size = size
        self.exclusive = exclusive

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Tensor:
        """Logits (B, K) of images (B, C, H, W) with sides of at least `size`."""
        total_BK = torch.zeros(())
        for crop in ten_crops(inputs, self.size):
            logits_BK = network(crop, *args, **kwargs).float()
            total_BK = total_BK + (logits_BK.softmax(1) if self.exclusive else logits_BK.sigmoid())
        mean_BK = total_BK / 10
        return mean_BK.log() if self.exclusive else torch.logit(mean_BK, eps=1e-7)


def ten_crops(images_BCHW: Tensor, size: int) -> list[Tensor]:
    """Four corners and the centre, then the same of the mirror image; raises ValueError when the image is too small."""
    height, width = images_BCHW.shape[-2:]
    if min(height, width) < size:
        raise ValueError(
            f"Images of {height} x {width} pixels are smaller than the ten crops of {size}: raise `resize_to`, or set "
            "`ten_crop: false`."
        )
    low, right = height - size, width - size
    corners = [(0, 0), (0, right), (low, 0), (low, right), (low // 2, right // 2)]
    both = (images_BCHW, images_BCHW.flip(-1))
    return [images[..., row : row + size, col : col + size] for images in both for row, col in corners]


def evaluation_crop(size: int, ten_crop: bool) -> MapTransform:
    """Cut the centre out of an image, or leave it whole for the ten crops.

    Args:
        size: side of a crop in pixels.
        ten_crop: whether `evaluation_inferer` averages over ten crops.
    """
    return Identityd("image") if ten_crop else CenterSpatialCropd("image", [size] * 2)


def evaluation_inferer(size: int, exclusive: bool, ten_crop: bool) -> Inferer:
    """Average over ten crops, or ask the network about what it is given.

    Args:
        size: side of a crop in pixels.
        exclusive: see `TenCropInferer`.
        ten_crop: which of the two.
    """
    return TenCropInferer(size, exclusive) if ten_crop else SimpleInferer()
