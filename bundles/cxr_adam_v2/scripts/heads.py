"""Adam v2's composer and decomposer of embeddings.

Shapes: B images, C channels of an embedding, 4 quarters of a whole, row by row.
"""

import torch
from torch import Tensor, nn


class Composer(nn.Sequential):
    """Predict a whole's embedding from those of its quarters: 4C -> C -> C with a ReLU between.

    Args:
        channels: C.
    """

    def __init__(self, channels: int):
        super().__init__(nn.Linear(4 * channels, channels), nn.ReLU(), nn.Linear(channels, channels))

    def forward(self, parts_4BC: Tensor) -> Tensor:
        """Map the quarters' embeddings (4, B, C) to (B, C)."""
        return super().forward(torch.cat(tuple(parts_4BC), dim=1))


class Decomposer(nn.Sequential):
    """Predict the quarters' embeddings from the whole's: C -> C -> 4C with a ReLU between.

    Args:
        channels: C.
    """

    def __init__(self, channels: int):
        super().__init__(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, 4 * channels))

    def forward(self, whole_BC: Tensor) -> Tensor:
        """Map the whole's embedding (B, C) to (B, 4, C)."""
        return super().forward(whole_BC).unflatten(1, (4, -1))
