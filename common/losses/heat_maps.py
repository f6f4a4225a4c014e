"""Heat maps around landmarks, and the losses of a network that draws them.

Shapes: B images, L landmarks, H W space, 2 (row, col).
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


def heat_maps(points_BL2: Tensor, size: tuple[int, int], sigma: float, window: int) -> Tensor:
    """Gaussians of height 1 around landmarks, 0 outside of a square window.

    MONAI's `GenerateHeatmap` puts the centre on the nearest pixel, which moves it by up to half a pixel, and draws one
    point after the other with a filter of the whole image; here the centre stays where it is.

    Args:
        points_BL2: fractions of (height, width); nan where a landmark is absent, whose map is 0.
        size: (H, W) of the maps.
        sigma: standard deviation, pixels of the maps.
        window: side of the window, pixels of the maps.

    Returns:
        (B, L, H, W), of the points' type.
    """
    profiles = []
    for points_BL, length in zip(points_BL2.unbind(-1), size, strict=True):
        places = torch.arange(length, device=points_BL.device, dtype=points_BL.dtype)
        away_BLN = places - (points_BL[..., None] * length - 0.5)  # a fraction of 0 is the first pixel's outer edge
        gaussian_BLN = torch.exp(-0.5 * (away_BLN / sigma) ** 2)
        profiles.append(torch.where(away_BLN.abs() < window / 2, gaussian_BLN, 0.0))
    return profiles[0][..., :, None] * profiles[1][..., None, :]


class _HeatMapLoss(nn.Module, ABC):
    """Base: compare a network's maps with Gaussians around the landmarks; absent landmarks do not count.

    Args:
        sigma: standard deviation of the Gaussians, above 0, pixels of the network's input.
        window: side of the square outside of which they are 0, odd, pixels.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(self, sigma: float, window: int):
        super().__init__()
        if sigma <= 0:
            raise ValueError(f"sigma is {sigma}; it must be above 0 pixels of the network's input")
        if window < 1 or window % 2 == 0:
            raise ValueError(f"window is {window}; it must be an odd number of pixels, such as 6 * sigma + 1")
        self.sigma, self.window = sigma, window

    @abstractmethod
    def compare(self, maps_BLHW: Tensor, target_BLHW: Tensor) -> Tensor:
        """Loss (B, L) of each map."""

    def forward(self, maps_BLHW: Tensor, points_BL2: Tensor) -> dict[str, Tensor]:
        """Losses by name, for points as fractions of (height, width), nan where a landmark is absent.

        Raises:
            ValueError: another number of maps than of landmarks.
        """
        if maps_BLHW.shape[:2] != points_BL2.shape[:2]:
            raise ValueError(
                f"There are maps {tuple(maps_BLHW.shape)} for points {tuple(points_BL2.shape)}: the network needs one "
                "output channel for each of `landmarks`."
            )
        height, width = maps_BLHW.shape[-2:]
        target_BLHW = heat_maps(points_BL2.float(), (height, width), self.sigma, self.window)
        known_BL = points_BL2.isfinite().all(-1)
        loss_BL = self.compare(maps_BLHW.float(), target_BLHW) * known_BL
        return {"loss": loss_BL.sum() / known_BL.sum().clamp_min(1)}


class HeatMapMSE(_HeatMapLoss):
    """Mean squared error over the pixels of each map, which is taken as it is, without a sigmoid.

    So does the released code (methods, section 7, key points). Nearly all pixels are 0, so that a network first learns
    to say 0 everywhere, and is slow to leave it.

    Args:
        sigma: standard deviation of the Gaussians, above 0, pixels of the network's input.
        window: side of the square outside of which they are 0, odd, pixels.

    Raises:
        ValueError: an argument out of range.

    Example:
        >>> points = torch.tensor([[[0.5, 0.5], [torch.nan, torch.nan]]])
        >>> HeatMapMSE(sigma=1.0, window=1)(torch.zeros(1, 2, 3, 3), points)["loss"]  # one pixel of nine
        tensor(0.1111)
    """

    def compare(self, maps_BLHW: Tensor, target_BLHW: Tensor) -> Tensor:
        """Mean squared error (B, L)."""
        return (maps_BLHW - target_BLHW).square().mean(dim=(2, 3))


class HeatMapCrossEntropy(_HeatMapLoss):
    """Cross-entropy between the softmax of a map over its pixels and the Gaussian as a distribution.

    A map can only say where, not whether, so that saying nothing gains nothing: it learns from the first steps, which
    makes it the loss for few images and few steps. The peak is read as of the other loss.

    Args:
        sigma: standard deviation of the Gaussians, above 0, pixels of the network's input.
        window: side of the square outside of which they are 0, odd, pixels.

    Raises:
        ValueError: an argument out of range.

    Example:
        >>> points = torch.tensor([[[0.5, 0.5]]])
        >>> HeatMapCrossEntropy(sigma=1.0, window=1)(torch.zeros(1, 1, 3, 3), points)["loss"]  # log 9
        tensor(2.1972)
    """

    def compare(self, maps_BLHW: Tensor, target_BLHW: Tensor) -> Tensor:
        """Cross-entropy (B, L) in nats."""
        weight_BLP = target_BLHW.flatten(2)
        share_BLP = weight_BLP / weight_BLP.sum(-1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
        return -(share_BLP * maps_BLHW.flatten(2).log_softmax(-1)).sum(-1)
