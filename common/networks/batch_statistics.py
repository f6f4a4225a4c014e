"""Batch norms: whether a network has any, without their counters, by views, and in training without taking notes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
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
    """A batch norm that does not count its batches, and can normalise the views in a batch one by one."""

    views = 1

    def forward(self: Any, values: Tensor) -> Tensor:
        """What PyTorch's gives of each view in turn, and the same running statistics."""
        self._check_input_dim(values)
        if self.views == 1 or not self.training:
            return self._normalised(values, self.weight, self.bias)
        each = zip(values.chunk(self.views), *map(self._for_views, (self.weight, self.bias)), strict=True)
        return torch.cat([self._normalised(*view) for view in each])

    def _for_views(self: Any, parameter: Tensor | None) -> Sequence[Tensor | None]:
        # By one expansion: its backward pass adds the views' gradients at once.
        return [None] * self.views if parameter is None else parameter.expand(self.views, -1).unbind()

    def _normalised(self: Any, values: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        statistics = self.running_mean, self.running_var
        return F.batch_norm(values, *statistics, weight, bias, self.training, self.momentum, self.eps)


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


def each_apart(network: nn.Module, call: Callable[[Tensor], Tensor], views: Sequence[Tensor]) -> list[Tensor]:
    """What a network gives of several views, none of which is normalised by another's statistics.

    One pass of all where its norms can keep them apart, else a pass for each: norms with their counters, or that share
    statistics over processes. Either gives the same running statistics, and the same up to rounding but for random
    layers. Not under activation checkpointing, which computes anew when the views are forgotten.

    Args:
        network: whose batch norms see the views.
        call: the network, or one of its methods: from (B, ...) to (B, ...).
        views: V of one shape (B, ...).

    Raises:
        ValueError: views of unequal numbers of images.

    Example:
        >>> norm = nn.Sequential(nn.BatchNorm1d(1))
        >>> without_counters(norm)
        >>> [view.flatten().tolist() for view in each_apart(norm, norm, [torch.ones(2, 1), torch.zeros(2, 1)])]
        [[0.0, 0.0], [0.0, 0.0]]
    """
    if len(sizes := {len(view) for view in views}) > 1:
        raise ValueError(f"views have {sorted(sizes)} images, and would be parted elsewhere: give each as many.")
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if not all(isinstance(norm, _Uncounted) for norm in norms):
        return [call(view) for view in views]
    with _by_views(norms, len(views)):
        return list(call(torch.cat(list(views))).chunk(len(views)))


@contextmanager
def _by_views(norms: Sequence[Any], views: int) -> Iterator[None]:
    for norm in norms:
        norm.views = views
    try:
        yield
    finally:
        for norm in norms:
            norm.views = 1
