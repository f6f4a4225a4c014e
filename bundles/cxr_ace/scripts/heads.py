"""ACE's dense head, composer and decomposer.

Shapes: B batch, C channels of a token, H W token grid of one crop, T = H * W tokens.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DenseHead(nn.Sequential):
    """Three 1x1 convolutions with batch norm and ReLU; tokens leave with unit length.

    Student and teacher both apply it. It is in the released code only (methods A10); one
    normalisation with an epsilon replaces the released pair, whose second divides 0 by 0 (A11).

    Args:
        channels: channels of a token, in and out.
        layers: number of convolutions.
    """

    def __init__(self, channels: int, layers: int = 3):
        blocks: list[nn.Module] = []
        for _ in range(layers):
            convolution = nn.Conv2d(channels, channels, kernel_size=1, bias=False)
            nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
            blocks += [convolution, nn.BatchNorm2d(channels), nn.ReLU()]
        super().__init__(*blocks)

    def forward(self, tokens_BCHW: Tensor) -> Tensor:
        """Map tokens (B, C, H, W) to unit tokens of the same shape."""
        return F.normalize(super().forward(tokens_BCHW).float(), dim=1)  # at bfloat16 lengths would be off by 0.4 %


class Composer(nn.Module):
    """Predict a coarse token from the 2x2 fine tokens that cover the same cells.

    4C -> C (no bias), LayerNorm, ReLU, C -> C; the 4C are ordered channel, row, column (A13, A14).

    Args:
        channels: channels of a token.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(4 * channels, channels, bias=False),
            nn.LayerNorm(channels),
            nn.ReLU(),
            nn.Linear(channels, channels),
        )

    def forward(self, tokens_BCHW: Tensor) -> Tensor:
        """Map fine tokens (B, C, H, W), H and W even, to (B, T / 4, C), row by row."""
        blocks = F.pixel_unshuffle(tokens_BCHW, 2)
        return self.mlp(blocks.flatten(2).transpose(1, 2))


class Decomposer(nn.Module):
    """Predict from one coarse token the 2x2 fine tokens that cover its cells.

    C -> 4C (no bias), LayerNorm, ReLU, 4C -> 4C; the 4C are ordered row, column, channel (A13, A14).

    Args:
        channels: channels of a token.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels, bias=False),
            nn.LayerNorm(4 * channels),
            nn.ReLU(),
            nn.Linear(4 * channels, 4 * channels),
        )

    def forward(self, tokens_BCHW: Tensor) -> Tensor:
        """Map coarse tokens (B, C, H, W) to (B, 4 T, C), row by row of the grid twice as fine."""
        B, C, H, W = tokens_BCHW.shape
        parts = self.mlp(tokens_BCHW.permute(0, 2, 3, 1))
        parts = parts.view(B, H, W, 2, 2, C).transpose(2, 3)
        return parts.reshape(B, 4 * H * W, C)


def rows(tokens_BCHW: Tensor) -> Tensor:
    """Tokens (B, C, H, W) as a list (B, T, C), row by row of the grid."""
    return torch.flatten(tokens_BCHW, 2).transpose(1, 2)
