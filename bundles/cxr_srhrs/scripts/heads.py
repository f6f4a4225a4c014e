"""Heads of SRHRS and of BYOL, its baseline.

Shapes: B batch, C channels of a feature map, E channels of an embedding.
"""

from torch import Tensor, nn


class Projector(nn.Module):
    """Mean over a feature map, then Linear, batch norm, ReLU, Linear, batch norm without scale and shift.

    The mean is taken here, since quarters of a map are projected like whole maps (methods C1, C14).

    Args:
        channels: C of the feature map.
        hidden_dim: width of the hidden layer.
        out_dim: E.
        batch_norm: False leaves both norms out, for batches whose statistics mean nothing.
    """

    def __init__(self, channels: int, hidden_dim: int = 2048, out_dim: int = 1024, batch_norm: bool = True):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden_dim),
            nn.BatchNorm1d(hidden_dim) if batch_norm else nn.Identity(),
            nn.ReLU(),
            nn.Linear(hidden_dim, out_dim),
            nn.BatchNorm1d(out_dim, affine=False) if batch_norm else nn.Identity(),
        )

    def forward(self, map_BChw: Tensor) -> Tensor:
        """Project feature maps (B, C, h, w) to vectors (B, E)."""
        return self.mlp(map_BChw.mean((2, 3)))


class LocationHead(nn.Sequential):
    """Linear, ReLU, Linear: from a unit vector to the logits of scale and place (methods C9).

    Args:
        channels: E, length of the vectors.
        outputs: logits that the loss wants.
        hidden_dim: width of the hidden layer.
    """

    def __init__(self, channels: int, outputs: int, hidden_dim: int = 512):
        super().__init__(nn.Linear(channels, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, outputs))


class Predictor(nn.Sequential):
    """BYOL's predictor of the teacher's vector from the student's: Linear, batch norm, ReLU, Linear.

    Args:
        channels: E, length of the vectors in and out.
        hidden_dim: width of the hidden layer.
        batch_norm: False leaves the norm out.
    """

    def __init__(self, channels: int, hidden_dim: int = 2048, batch_norm: bool = True):
        norm = nn.BatchNorm1d(hidden_dim) if batch_norm else nn.Identity()
        super().__init__(nn.Linear(channels, hidden_dim), norm, nn.ReLU(), nn.Linear(hidden_dim, channels))
