"""Batch norms: whether a network has any, without their counters, and in training mode without taking notes."""

from typing import Any

import torch.nn.functional as F
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


class _Uncounted:
    """A batch norm that does not count its batches."""

    def forward(self: Any, values: Tensor) -> Tensor:
        """What PyTorch's gives, and the same running statistics."""
        self._check_input_dim(values)
        tensors = self.running_mean, self.running_var, self.weight, self.bias
        return F.batch_norm(values, *tensors, self.training, self.momentum, self.eps)


class UncountedBatchNorm1d(_Uncounted, nn.BatchNorm1d):
    """For vectors (B, E) and their sequences (B, E, T)."""


class UncountedBatchNorm2d(_Uncounted, nn.BatchNorm2d):
    """For maps (B, E, h, w)."""


class UncountedBatchNorm3d(_Uncounted, nn.BatchNorm3d):
    """For volumes (B, E, d, h, w)."""


_WITHOUT_COUNTER: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: UncountedBatchNorm1d,
    nn.BatchNorm2d: UncountedBatchNorm2d,
    nn.BatchNorm3d: UncountedBatchNorm3d,
}


def without_counters(network: nn.Module) -> None:
    """Make batch norms stop counting batches, in place: an operation of each in each pass, and none that is needed.

    Only norms without a fixed momentum average by the counter, and they keep it. It stays in state dicts as it was.

    Args:
        network: any module; norms of PyTorch's own classes are changed, those of others' are left.
    """
    for module in network.modules():
        uncounted = _WITHOUT_COUNTER.get(type(module))
        if uncounted is not None and module.momentum is not None and module.track_running_stats:
            module.__class__ = uncounted
