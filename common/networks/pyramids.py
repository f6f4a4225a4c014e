"""Pyramids at several scales from encoders that have only one.

Shapes: B batch, E channels, h w token grid.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from .encoders import Encoder


class ScaledPyramid(nn.Module):
    """Feature maps at falling resolution for a decoder, whatever the encoder.

    Maps that already differ in scale pass unchanged. The four maps of a ViT, all at its patch size, are enlarged 4
    and 2 times by learned transposed convolutions (halving the channels each time, as the area quadruples), kept,
    and halved by pooling: strides 4, 8, 16, 32 for patches of 16.

    Args:
        encoder: whose pyramid will be given.

    Attributes:
        channels: channels of each level, fine to coarse.
        strides: pixels per cell of each level.
    """

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.channels: tuple[int, ...] = encoder.pyramid_channels
        self.strides: tuple[float, ...] = encoder.pyramid_strides
        self.scales: nn.ModuleList | None = None
        if len(set(encoder.pyramid_strides)) > 1:
            return
        width, stride = encoder.embed_dim, encoder.token_stride
        self.channels = (width // 4, width // 2, width, width)
        self.strides = (stride / 4, stride / 2, stride, stride * 2)
        self.scales = nn.ModuleList(
            [
                nn.Sequential(_doubled(width, width // 2), _doubled(width // 2, width // 4)),
                _doubled(width, width // 2),
                nn.Identity(),
                nn.MaxPool2d(2, ceil_mode=True),
            ]
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The encoder's maps, fine to coarse, at `strides`."""
        if self.scales is None:
            return list(maps)
        return [scale(features) for scale, features in zip(self.scales, maps, strict=True)]


def _doubled(channels: int, out_channels: int) -> nn.Sequential:
    # One group is a layer norm over channels and places: no batch statistics, as in the transformer before it.
    return nn.Sequential(
        nn.ConvTranspose2d(channels, out_channels, kernel_size=2, stride=2),
        nn.GroupNorm(1, out_channels),
        nn.GELU(),
    )
