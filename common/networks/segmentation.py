"""A segmentation network: encoder, decoder, head."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from .decoders import SwinUNETR, UNet, UperNet
from .encoders import Encoder
from .exported import ExportedNetwork
from .pyramids import ScaledPyramid
from .released_upernet import ReleasedUperNet

DECODERS: dict[str, type[UperNet] | type[ReleasedUperNet] | type[UNet] | type[SwinUNETR]] = {
    "upernet": UperNet,
    "upernet_released": ReleasedUperNet,
    "unet": UNet,
    "swin_unetr": SwinUNETR,
}
_NORMS = {**dict.fromkeys(DECODERS, ("batch", "group")), "swin_unetr": ("instance", "batch", "group")}


class SegmentationNetwork(ExportedNetwork):
    """Logits per pixel from any encoder and one of four decoders.

    Args:
        encoder: the pre-trained or random encoder; fine-tuned with the rest.
        decoder: `upernet` (ACE, LeADER, SRHRS), `upernet_released` (the same as its released code has it, for a Swin
            or ResNet), `unet` (Adam) or `swin_unetr`.
        out_channels: K, number of structures.
        decoder_channels: width of the decoder; default 256 (UperNet: every level; U-Net: the coarsest block) or 48
            (SwinUNETR: the finest level); the released UperNet has that of its finest level.
        norm: `batch`, `group` or (SwinUNETR only) `instance`; default batch norm as published, instance norm for
            SwinUNETR. Group norm makes the decoder independent of the batch: for very small batches, and so that
            several processes compute what one does.

    Raises:
        ValueError: unknown decoder, a norm or width it does not have, or an encoder it was not released for.

    Example:
        >>> import torch
        >>> from common.networks import build_encoder
        >>> encoder = build_encoder("resnet18", in_channels=1, image_size=64)
        >>> network = SegmentationNetwork(encoder, decoder="unet", out_channels=2)
        >>> network(torch.rand(2, 1, 64, 64)).shape
        torch.Size([2, 2, 64, 64])
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: str = "upernet",
        out_channels: int = 1,
        decoder_channels: int | None = None,
        norm: str | None = None,
    ):
        super().__init__()
        if decoder not in DECODERS:
            raise ValueError(f"decoder = '{decoder}' must be one of {', '.join(DECODERS)}.")
        if norm is not None and norm not in _NORMS[decoder]:
            raise ValueError(f"norm = '{norm}' must be one of {', '.join(_NORMS[decoder])} for decoder = '{decoder}'.")
        self.is_released = decoder == "upernet_released"
        if self.is_released and encoder.family == "vit":
            raise ValueError(
                "decoder = 'upernet_released' needs a Swin or ResNet: on a ViT the released code drops its own context "
                "and takes the first four blocks (methods A43). Use decoder = 'upernet'."
            )
        self.encoder = encoder
        self.pyramid = ScaledPyramid(encoder)
        channels, strides = self.pyramid.channels, self.pyramid.strides
        if self.is_released and encoder.family == "swin":
            channels, strides = (*channels[1:], channels[-1]), (*strides[1:], strides[-1])
        arguments: dict[str, Any] = {"width": decoder_channels, "norm": norm}
        self.decoder = DECODERS[decoder](
            encoder.description.in_channels,
            channels,
            strides,
            **{name: value for name, value in arguments.items() if value is not None},
        )
        if encoder.family != "resnet":
            # Pyramids are taken before the final norm; a parameter that never gets a gradient would stop DDP.
            encoder.body.norm.requires_grad_(False)
        self.head = nn.Conv2d(self.decoder.out_channels, out_channels, kernel_size=3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K, H, W) of images (B, C, H, W) in [0, 1]; the encoder's token stride must divide H and W.

        Raises:
            ValueError: another image size; names sizes that fit.
        """
        maps = self.encoder.merged_pyramid(images) if self.is_released else self.encoder.pyramid(images)
        logits = self.head(self.decoder(images, self.pyramid(maps)))
        return F.interpolate(logits, size=images.shape[-2:], mode="bilinear", align_corners=False)

    def input_shape(self) -> tuple[int, ...]:
        """The encoder's."""
        return self.encoder.input_shape()
