"""Which of a method's losses moves its encoder, and how much."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from monai.engines.utils import IterationEvents
from monai.utils import CommonKeys as Keys
from torch import Tensor

from ..engines import Trainer
from ..engines.clipping import global_norm

if TYPE_CHECKING:
    from .tracking import Tracking


class LogGradientShares:
    """Handler of a trainer: at intervals, each loss's share of the gradient.

    A total of several losses says little of what is learned: one may be large and flat, another small and steep. Here
    the gradient of each loss is taken apart, with the weight the total gives it, in the parameters that at least two
    of the losses move (the encoder; a head that serves one loss is left out), and the norms are divided by their sum.
    Points go to the tracking as `gradient_share/NAME`; nothing where the total is one loss.

    Nothing here changes the run. It keeps the graph of an iteration for one more backward pass a loss.

    Args:
        tracking: takes the points.
        every: iterations between two points, the first in the first iteration; None takes none.

    Raises:
        ValueError: `every` below 1.
    """

    def __init__(self, tracking: "Tracking", every: int | None = None):
        if every is not None and every < 1:
            raise ValueError(f"every is {every}; it must be 1 or more iterations, or null.")
        self.tracking, self.every = tracking, every

    def attach(self, engine: Trainer) -> None:
        """Follow this trainer; on every process, since synchronised batch norm speaks in a backward pass."""
        if self.every is not None:
            engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self._record)

    def _record(self, engine: Trainer) -> None:
        if (engine.state.iteration - 1) % self.every:  # type: ignore[operator]  # attached where it is a number
            return
        trained = [p for group in engine.optimizer.param_groups for p in group["params"] if p.requires_grad]
        shares = gradient_shares(engine.state.terms, trained)
        self.tracking.log_metrics({f"gradient_share/{name}": share for name, share in shares.items()})


def gradient_shares(losses: Mapping[str, Tensor], parameters: Sequence[Tensor]) -> dict[str, float]:
    """Shares of losses in the gradient of their weighted sum.

    Args:
        losses: by name, with their graphs, which are kept; `loss` is made of the others. Those that have no gradient,
            no part in it, or are a part of another one, are left out.
        parameters: leaves that the losses may depend on.

    Returns:
        Norms, over the parameters that at least two losses move, of each loss's gradient, divided by their sum; empty
        where fewer than two losses meet.

    Example:
        >>> weight = torch.ones(1, requires_grad=True)
        >>> parts = {"near": 3 * weight.sum(), "far": weight.square().sum()}
        >>> gradient_shares({"loss": parts["near"] + 0.5 * parts["far"], **parts}, [weight])
        {'near': 0.75, 'far': 0.25}
    """
    parts = _outermost({name: value for name, value in losses.items() if name != Keys.LOSS and value.requires_grad})
    if len(parts) < 2:
        return {}
    weights = torch.autograd.grad(losses[Keys.LOSS].mean(), list(parts.values()), retain_graph=True, allow_unused=True)
    found = {
        name: torch.autograd.grad(value, parameters, weight, retain_graph=True, allow_unused=True)
        for (name, value), weight in zip(parts.items(), weights, strict=True)
        if weight is not None
    }
    movers = [sum(gradient is not None for gradient in each) for each in zip(*found.values(), strict=True)]
    norms = {
        name: float(global_norm([g for g, n in zip(gradients, movers, strict=True) if g is not None and n > 1]))
        for name, gradients in found.items()
    }
    together = sum(norms.values())
    return {name: norm / together for name, norm in norms.items()} if together else {}


def _outermost(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Losses that none of the others is made of."""
    inner: set[str] = set()
    for name, value in losses.items():
        others = [other for other in losses if other != name]
        found = torch.autograd.grad(
            value, [losses[other] for other in others], torch.ones_like(value), retain_graph=True, allow_unused=True
        )
        inner |= {other for other, gradient in zip(others, found, strict=True) if gradient is not None}
    return {name: value for name, value in losses.items() if name not in inner}
