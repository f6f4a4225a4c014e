"""What every backbone of CT volumes offers.

Shapes: B batch, C channels, D H W space, d h w grid of features.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from common.networks.batch_statistics import UnrecordedStatistics

AXES = ("D", "H", "W")


class Backbone(nn.Module, ABC):
    """A network from volumes to a grid of features; its weights keep their publisher's names, below `body.`.

    Args:
        architecture: what to call it in messages.
        checkpointing: in training, keep only the inputs of blocks and compute the rest again in the backward pass:
            less memory for about a third more time; the gradients are the same.

    Attributes:
        channels: C of the features.
        crop_size: (D, H, W) in voxels that `build_backbone` was told.
        strides: voxels per cell of the grid along D, H and W.
        new_parts: beginnings of the names, below `body.`, that published weights never fill.
    """

    channels: int
    crop_size: tuple[int, ...]
    strides: tuple[int, int, int]
    new_parts: ClassVar[tuple[str, ...]] = ()
    body: Any  # another project's network; typed loosely, as attributes differ

    def __init__(self, architecture: str, checkpointing: bool = False):
        super().__init__()
        self.architecture, self.checkpointing = architecture, checkpointing

    @abstractmethod
    def features(self, x_B1DHW: Tensor) -> Tensor:
        """Features F (B, C, d, h, w) of volumes (B, 1, D, H, W)."""

    def encode(self, x_B1DHW: Tensor) -> tuple[Tensor, Tensor]:
        """Features F and one vector (B, C) for each volume: their mean over the grid, unless the backbone has better.

        Raises:
            ValueError: sizes that the grid does not divide; names the nearest that it does.
        """
        if not torch.jit.is_tracing():  # a trace fixes the size that its example passed here with
            self.check_size(x_B1DHW.shape[2:])
        features = self.features(x_B1DHW)
        return features, features.mean((2, 3, 4))

    def forward(self, x_B1DHW: Tensor) -> Tensor:
        """`features`."""
        return self.features(x_B1DHW)

    def check_size(self, size: Sequence[int]) -> None:
        """Raise ValueError, naming sizes that fit, unless the strides divide the sizes (D, H, W)."""
        if len(size) != 3:
            raise ValueError(f"crop_size is {tuple(size)}; give three numbers of voxels: D, H, W.")
        for axis, voxels, stride in zip(AXES, size, self.strides, strict=True):
            if voxels < stride or voxels % stride:
                low = max(stride, voxels // stride * stride)
                near = f"{low} or {low + stride}" if voxels >= stride else f"{stride}"
                raise ValueError(
                    f"A volume of {' x '.join(map(str, size))} voxels (D x H x W) does not fit {self.architecture}: "
                    f"{axis} = {voxels} is no multiple of {stride}. Set crop_size#{AXES.index(axis)} to {near}."
                )

    def from_published(self, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
        """Published weights by the names below `body.` and at this crop size, and the names that were resampled."""
        return dict(weights), []

    def _run(self, block: nn.Module, *inputs: Any) -> Any:
        """Call a block, remembering only its inputs where checkpointing is on."""
        if not (self.checkpointing and self.training and torch.is_grad_enabled()):
            return block(*inputs)
        # The second pass would enter the same batch into running statistics again.
        return checkpoint(
            block, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), UnrecordedStatistics(block))
        )


def last_stage(width: int, depths: Sequence[int]) -> tuple[int, int]:
    """Channels of the last stage, and voxels per cell of its grid along H and W.

    Args:
        width: channels of the first stage.
        depths: blocks of each stage.

    Raises:
        ValueError: neither three stages nor four, or one without blocks.
    """
    if len(depths) not in (3, 4) or min(depths) < 1:
        raise ValueError(f"depths is {tuple(depths)}; expected the blocks of four stages, or of three.")
    return width * 2 ** (len(depths) - 1), 2 ** len(depths)
