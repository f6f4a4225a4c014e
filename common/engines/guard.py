"""Stops a run before numbers that are not finite reach its weights."""

from collections.abc import Mapping
from typing import Any

import torch
from ignite.engine import State
from torch import Tensor, nn
from torch.optim import Optimizer

from .batches import sources
from .errors import NonFiniteGradient, NonFiniteLoss


class NonFiniteGuard:
    """Looks at the losses of every iteration, and with them at the gradients of every step.

    A finite loss can have a gradient that is not (0 / 0 in a backward pass, a square root at 0). Losses and norms of
    gradients are looked at together, so that the host waits for the device once per iteration, as for the loss
    alone. bfloat16 needs no loss scaling: no gradient is ever infinite on trial.

    Args:
        state: of the trainer.
        network: for the names of its parameters.
        optimizer: whose parameters' gradients count.
    """

    def __init__(self, state: State, network: nn.Module, optimizer: Optimizer):
        self.state, self.network, self.optimizer = state, network, optimizer
        self.files: list[str] = []
        """Of the batches whose gradients are being accumulated."""

    def check(
        self, own: Mapping[str, Tensor], averaged: Mapping[str, Tensor], batch: Any, norms: Tensor | None
    ) -> None:
        """Raise, in every process, where a loss or a gradient is not finite.

        Args:
            own: losses of this process.
            averaged: losses over all processes.
            batch: what they come from.
            norms: (N,) of the gradients, where a step is to follow; None where more is accumulated.

        Raises:
            NonFiniteLoss: a loss is not finite.
            NonFiniteGradient: the losses are, and a gradient is not.
        """
        self.files += sources(batch)
        numbers = torch.stack(list(averaged.values()))
        if norms is not None:
            numbers = torch.cat([numbers, norms.to(numbers)])
        finite = numbers.isfinite()
        if not bool(finite.all()):
            if not bool(finite[: len(averaged)].all()):
                losses = {name: value.item() for name, value in own.items()}
                raise NonFiniteLoss(losses, self.state.iteration, sources(batch))
            raise NonFiniteGradient(self._spoilt(), self.state.iteration, self.files)
        if norms is not None:
            self.files = []

    def _spoilt(self) -> list[str]:
        """Names of the parameters whose gradient is not finite; none where a norm alone overflows."""
        trained = {id(p) for group in self.optimizer.param_groups for p in group["params"]}
        return [
            name.removeprefix("module.")
            for name, p in self.network.named_parameters()
            if id(p) in trained and p.grad is not None and not bool(p.grad.isfinite().all())
        ]
