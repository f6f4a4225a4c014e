"""A segmentation network: encoder, decoder, head."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from .decoders import SwinUNETR, UNet, UperNet
from .encoders import Encoder
from .exported import ExportedNetwork
from .pyramids import ScaledPyramid

DECODERS: dict[str, type[UperNet] | type[UNet] | type[SwinUNETR]] = {
    "upernet": UperNet,
    "unet": UNet,
    "swin_unetr": SwinUNETR,
}
_NORMS = {"upernet": ("batch", "group"), "unet": ("batch", "group"), "swin_unetr": ("instance", "batch", "group")}


class SegmentationNetwork(ExportedNetwork):
    """Logits per pixel from any encoder and one of three decoders.

    Args:
        encoder: the pre-trained or random encoder; fine-tuned with the rest.
        decoder: `upernet` (ACE, LeADER, SRHRS), `unet` (Adam) or `swin_unetr`.
        out_channels: K, number of structures.
        decoder_channels: width of the decoder; default 256 (UperNet: every level; U-Net: the coarsest block) or 48
            (SwinUNETR: the finest level).
        norm: `batch`, `group` or (SwinUNETR only) `instance`; default batch norm as published, instance norm for
            SwinUNETR. Group norm makes the decoder independent of the batch: for very small batches, and so that
            several processes compute what one does.

    Raises:
        ValueError: unknown decoder, or a norm it does not have.
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
        self.encoder = encoder
        self.pyramid = ScaledPyramid(encoder)
        arguments: dict[str, Any] = {"width": decoder_channels, "norm": norm}
        self.decoder = DECODERS[decoder](
            encoder.description.in_channels,
            self.pyramid.channels,
            self.pyramid.strides,
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
        pyramid = self.pyramid(self.encoder.pyramid(images))
        logits = self.head(self.decoder(images, pyramid))
        return F.interpolate(logits, size=images.shape[-2:], mode="bilinear", align_corners=False)

    def input_shape(self) -> tuple[int, ...]:
        """The encoder's."""
        return self.encoder.input_shape()
