"""The UperNet of the released segmentation code, structure for structure, so that its weights load and compute alike.

Shapes: B images, C channels of a level, W channels of the finest one (256 in a Swin-B), h w cells of the finest level.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .group_norms import group_norms

BINS = (1, 2, 4, 6)


class ReleasedUperNet(nn.Module):
    """Pooled context on the coarsest map, sums of neighbouring laterals, all levels fused at the finest one.

    Methods sections 7 and 8.6. Each level adds the next coarser lateral, not the sum below it; laterals have neither
    norm nor ReLU, and the finest level has none; one smoothing convolution serves every level; corners are aligned.

    Args:
        in_channels: channels of the images (not used by this decoder).
        channels: channels of each pyramid level, fine to coarse; the last four are used.
        strides: pixels per cell of each level (not used by this decoder).
        width: W; None, or the channels of the finest level used, since it enters as it is.
        norm: `batch` as released, or `group`.
        dropout: share of the pooled context's channels that training leaves out.

    Raises:
        ValueError: another width.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        strides: Sequence[float],
        width: int | None = None,
        norm: str = "batch",
        dropout: float = 0.1,
    ):
        super().__init__()
        used = list(channels[-4:])
        self.out_channels = used[0]
        if width not in (None, used[0]):
            raise ValueError(
                f"decoder_channels = {width} does not fit decoder = 'upernet_released', whose finest level enters with "
                f"its {used[0]} channels as it is: leave decoder_channels null."
            )
        self.context = _PooledContext(used[-1], dropout)
        self.laterals = nn.ModuleList(nn.Conv2d(level, used[0], kernel_size=1) for level in used[1:])
        self.smooth = nn.Conv2d(used[0], used[0], kernel_size=3, padding=1)
        self.fuse = _convolved(len(used) * used[0], used[0], kernel_size=3)
        if norm == "group":
            group_norms(self)

    def forward(self, images: Tensor, pyramid: Sequence[Tensor]) -> Tensor:
        """Features (B, W, h, w) at the resolution of the finest level used."""
        finest, *coarser = pyramid[-4:]
        coarser[-1] = self.context(coarser[-1])
        levels = [finest, *(lateral(level) for lateral, level in zip(self.laterals, coarser, strict=True))]
        sums = [self.smooth(fine + _resized(coarse, fine)) for fine, coarse in pairwise(levels)]
        return self.fuse(torch.cat([_resized(level, finest) for level in [*sums, levels[-1]]], dim=1))


class _PooledContext(nn.Module):
    """A map (B, C, h, w) with its means over 1, 4, 16 and 36 places beside it, brought back to C channels."""

    def __init__(self, channels: int, dropout: float):
        super().__init__()
        part = channels // len(BINS)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(bins), *_convolved(channels, part, kernel_size=1)) for bins in BINS
        )
        self.fuse = _convolved(channels + part * len(BINS), channels, kernel_size=3)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x_BChw: Tensor) -> Tensor:
        pooled = [_resized(branch(x_BChw), x_BChw) for branch in self.branches]
        return self.dropout(self.fuse(torch.cat([x_BChw, *pooled], dim=1)))


def _convolved(channels: int, out_channels: int, kernel_size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=True)
