"""Batch norms: whether a network has any, and a network in training mode without theirs taking notes."""

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def has_batch_norm(network: nn.Module) -> bool:
    """Whether images of one batch are normalised by each other's statistics."""
    return any(isinstance(module, _BatchNorm) for module in network.modules())


class UnrecordedStatistics:
    """Context in which batch norms in training mode normalise as ever and leave statistics and counters alone.

    For a pass that is repeated, as activation checkpointing does, or that belongs to no training step. A momentum of
    0 keeps every finite statistic to the bit, and the operations stay those of an ordinary pass, which checkpointing
    compares. It can be entered again and again.

    Args:
        network: any module; its batch norms in evaluation mode only read their statistics and are left as they are.
    """

    def __init__(self, network: nn.Module):
        self.network = network
        self._before: list[list[tuple[_BatchNorm, float | None, Tensor | None]]] = []

    def __enter__(self) -> None:
        norms = [m for m in self.network.modules() if isinstance(m, _BatchNorm) and m.training]
        self._before.append([(norm, norm.momentum, norm.num_batches_tracked) for norm in norms])
        for norm in norms:
            norm.momentum, norm.num_batches_tracked = 0.0, None

    def __exit__(self, *_: Any) -> None:
        for norm, momentum, counter in self._before.pop():
            norm.momentum, norm.num_batches_tracked = momentum, counter
