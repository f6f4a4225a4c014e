"""Decoders: from images and their feature pyramid to one map of features.

A decoder is called with images (B, C, H, W) and a pyramid, fine to coarse, and gives (B, out_channels, H / s, W / s)
with a small s; the network around it adds the head and goes to full size.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import torchvision_shim  # noqa: F401  segmentation_models_pytorch imports torchvision
from .group_norms import group_norms, groups

from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder  # isort: skip
from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder  # isort: skip


class UperNet(nn.Module):
    """UperNet: pooled context on the coarsest map, a top-down path, all levels fused at the finest (stride 4).

    segmentation_models_pytorch's decoder. It differs from the released one, which is `ReleasedUperNet`, in ways that
    the README of image_segmentation lists (U1 to U11).
    The pooled branches take group norm, because batch norm cannot normalise the single value that a 1 x 1 map has at
    batch 1, and is as noisy as the batch is small at any other.

    Args:
        in_channels: channels of the images (not used by this decoder).
        channels: channels of each pyramid level, fine to coarse.
        strides: pixels per cell of each level; levels finer than 4 are not used.
        width: channels of the laterals and of the output.
        norm: `batch` or `group`.
    """

    def __init__(
        self, in_channels: int, channels: Sequence[int], strides: Sequence[float], width: int = 256, norm: str = "batch"
    ):
        super().__init__()
        self.levels = slice(-4, None)
        self.out_channels = width
        used = channels[self.levels]
        # The two entries in front stand for full and half resolution, which this decoder skips.
        self.decoder = UPerNetDecoder([0, 0, *used], encoder_depth=len(used) + 1, decoder_channels=width)
        group_norms(self.decoder.psp.blocks)
        if norm == "group":
            group_norms(self.decoder)

    def forward(self, images: Tensor, pyramid: Sequence[Tensor]) -> Tensor:
        """Features at the resolution of the finest level used."""
        return self.decoder([images, images, *pyramid[self.levels]])


class UNet(nn.Module):
    """U-Net: double the resolution, join the encoder's map of that size, convolve twice; until full size.

    The blocks of segmentation_models_pytorch's decoder (methods section 7 uses it on a ResNet-50). Beyond the
    encoder's finest level there is nothing to join.

    Args:
        in_channels: channels of the images (not used by this decoder).
        channels: channels of each pyramid level, fine to coarse.
        strides: pixels per cell of each level.
        width: channels after the first block; each later block has half of the one before.
        norm: `batch` or `group`.
    """

    def __init__(
        self, in_channels: int, channels: Sequence[int], strides: Sequence[float], width: int = 256, norm: str = "batch"
    ):
        super().__init__()
        self.extra = max(1, round(math.log2(strides[0])))  # doublings from the finest level to full size
        blocks = len(channels) - 1 + self.extra
        widths = [max(width // 2**i, 8) for i in range(blocks)]
        without_skip = [0] * (self.extra - 1)
        self.decoder = UnetDecoder([in_channels, *without_skip, *channels], widths, n_blocks=blocks)
        self.out_channels = widths[-1]
        if norm == "group":
            group_norms(self.decoder)

    def forward(self, images: Tensor, pyramid: Sequence[Tensor]) -> Tensor:
        """Features at full resolution."""
        height, width = images.shape[-2:]
        skips: list[Tensor | None] = [*pyramid[-2::-1], *[None] * self.extra]
        features = pyramid[-1]
        for i, (block, skip) in enumerate(zip(self.decoder.blocks, skips, strict=True)):
            halvings = len(skips) - 1 - i
            size = (height >> halvings, width >> halvings) if skip is None else skip.shape[-2:]
            features = block(features, size[0], size[1], skip_connection=skip)
        return features


class SwinUNETR(nn.Module):
    """SwinUNETR's decoder in 2D: residual blocks on every level and on the image, joined by transposed convolutions.

    MONAI's blocks. Level i has `width` * 2^i channels, and the image joins at full resolution; from there it is as
    MONAI's SwinUNETR with patches of the encoder's finest stride.

    Args:
        in_channels: channels of the images.
        channels: channels of each pyramid level, fine to coarse.
        strides: pixels per cell of each level.
        width: channels of the finest level and of the output.
        norm: `instance`, `batch` or `group`.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        strides: Sequence[float],
        width: int = 48,
        norm: str = "instance",
    ):
        super().__init__()
        from monai.networks.blocks.unetr_block import UnetrBasicBlock, UnetrUpBlock  # MONAI takes seconds to import

        widths = [width * 2**i for i in range(len(channels))]
        kind = ("group", {"num_groups": groups(width)}) if norm == "group" else norm
        common: dict[str, Any] = {"spatial_dims": 2, "kernel_size": 3, "norm_name": kind, "res_block": True}
        self.out_channels = width
        self.image = UnetrBasicBlock(in_channels=in_channels, out_channels=width, stride=1, **common)
        self.skips = nn.ModuleList(
            UnetrBasicBlock(in_channels=level, out_channels=own, stride=1, **common)
            for level, own in zip(channels, widths, strict=True)
        )
        factors = [math.ceil(strides[0])] + [2] * (len(channels) - 1)
        self.ups = nn.ModuleList(
            UnetrUpBlock(in_channels=own, out_channels=finer, upsample_kernel_size=factor, **common)
            for own, finer, factor in zip(widths, [width, *widths[:-1]], factors, strict=True)
        )

    def forward(self, images: Tensor, pyramid: Sequence[Tensor]) -> Tensor:
        """Features at full resolution."""
        levels = [self.image(images), *(skip(level) for skip, level in zip(self.skips, pyramid, strict=True))]
        features = levels.pop()
        up: Any  # MONAI's UnetrUpBlock, used in parts
        for up in reversed(self.ups):
            skip = levels.pop()
            enlarged = up.transp_conv(features)
            if enlarged.shape[-2:] != skip.shape[-2:]:  # odd grids do not come back from halving by doubling
                enlarged = F.interpolate(enlarged, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            features = up.conv_block(torch.cat([enlarged, skip], dim=1))
        return features
