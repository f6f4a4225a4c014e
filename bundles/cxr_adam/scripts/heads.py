"""MoCo v2's projection head.

Shapes: B images.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MoCoProjectionHead(nn.Sequential):
    """Linear, ReLU, Linear; vectors leave with unit length.

    Args:
        dim: length of the input vectors.
        hidden_dim: width between the two; None takes `dim`, as the paper's 2048.
        out_dim: length of the output vectors (paper: 128).
    """

    def __init__(self, dim: int, hidden_dim: int | None = None, out_dim: int = 128):
        hidden_dim = dim if hidden_dim is None else hidden_dim
        super().__init__(nn.Linear(dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, out_dim))

    def forward(self, x: Tensor) -> Tensor:
        """Unit vectors (B, out_dim) of features (B, dim); float32 under autocast too: cosines decide on pruning."""
        with torch.autocast(x.device.type, enabled=False):
            return F.normalize(super().forward(x.float()), dim=1)
