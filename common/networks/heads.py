"""Heads that several pre-training methods put on an encoder.

Shapes: B batch, K codes.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UnitLinear(nn.Module):
    """Linear map without bias whose rows are unit vectors: a weight norm with its gain fixed to 1.

    Args:
        in_features: length of the input vectors.
        out_features: number of rows.
    """

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.weight = nn.Parameter(nn.Linear(in_features, out_features, bias=False).weight.detach())

    def forward(self, x: Tensor) -> Tensor:
        """Dot products of `x` (..., in_features) with the unit rows: (..., out_features)."""
        return F.linear(x, F.normalize(self.weight, dim=1))


class ProjectionHead(nn.Module):
    """The DINO head: MLP, unit length, then codes that are cosines with learned unit vectors.

    dim -> hidden -> hidden -> bottleneck with GELU between, normalised, then `last_layer`. Linear weights are drawn
    from a normal distribution of standard deviation 0.02, biases are 0 (methods sections 1 and 3).

    Args:
        dim: length of the input vectors.
        out_dim: K, number of codes.
        hidden_dim: width of the two hidden layers.
        bottleneck_dim: length of the vectors before the last layer.
        layers: linear maps in the MLP, at least 1.

    Attributes:
        last_layer: the unit-row linear map, which recipes freeze at first.

    Example:
        >>> head = ProjectionHead(dim=8, out_dim=4, hidden_dim=16, bottleneck_dim=6)
        >>> codes = head(torch.rand(2, 8))
        >>> codes.shape, bool((codes.abs() <= 1 + 1e-6).all())  # cosines
        (torch.Size([2, 4]), True)
    """

    def __init__(
        self, dim: int, out_dim: int = 65536, hidden_dim: int = 2048, bottleneck_dim: int = 256, layers: int = 3
    ):
        super().__init__()
        widths = [dim, *[hidden_dim] * (layers - 1), bottleneck_dim]
        blocks: list[nn.Module] = []
        for i, (before, after) in enumerate(itertools.pairwise(widths)):
            linear = nn.Linear(before, after)
            nn.init.trunc_normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)
            blocks += [nn.GELU(), linear] if i else [linear]
        self.mlp = nn.Sequential(*blocks)
        self.last_layer = UnitLinear(bottleneck_dim, out_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Codes (B, K) in [-1, 1] of features (B, dim).

        Unit length and codes are float32 also under autocast: temperatures magnify a code's rounding 25 times.
        """
        features = self.mlp(x)
        with torch.autocast(x.device.type, enabled=False):
            return self.last_layer(F.normalize(features.float(), dim=-1))
