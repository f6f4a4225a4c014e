"""Diagnose a volume larger than a training crop window by window."""

from collections.abc import Callable, Sequence
from itertools import product
from math import ceil
from typing import Any

import torch
from monai.inferers import Inferer
from torch import Tensor


class AverageWindows(Inferer):
    """Mean of a network's logits over windows that cover the volume.

    MONAI's sliding windows put voxels together again; a diagnosis has one vector per window. Logits are averaged, as
    those of a study's series are [E11].

    Args:
        window: voxels (D, H, W) that the network sees at a time; at most the volume's.
        overlap: least share of a window's side that its neighbour sees too, in [0, 1).
    """

    def __init__(self, window: Sequence[int], overlap: float = 0.25):
        super().__init__()
        if not 0 <= overlap < 1:
            raise ValueError(f"overlap is {overlap}; give a share in [0, 1).")
        self.window, self.overlap = tuple(window), overlap

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Logits (B, K) of volumes (B, 1, D, H, W).

        Raises:
            ValueError: a volume smaller than the window.
        """
        starts = [self._starts(have, want) for have, want in zip(inputs.shape[2:], self.window, strict=True)]
        logits = []
        for corner in product(*starts):
            box = [slice(first, first + side) for first, side in zip(corner, self.window, strict=True)]
            logits.append(network(inputs[(slice(None), slice(None), *box)], *args, **kwargs))
        return torch.stack(logits).mean(0)

    def _starts(self, have: int, want: int) -> list[int]:
        """First voxels along one axis: evenly spread, the first at the beginning and the last at the end."""
        if have < want:
            raise ValueError(f"A volume of {have} voxels is smaller than a window of {want}: enlarge evaluation_size.")
        count = 1 + ceil((have - want) / (want * (1 - self.overlap)))
        return [round((have - want) * number / max(count - 1, 1)) for number in range(count)]
