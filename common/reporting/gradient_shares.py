"""Which of a method's losses moves its encoder, and how much."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from monai.engines.utils import IterationEvents
from monai.utils import CommonKeys as Keys
from torch import Tensor

from ..engines import Trainer
from ..engines.clipping import norms_of

if TYPE_CHECKING:
    from .tracking import Tracking


class LogGradientShares:
    """Handler of a trainer: at intervals, each loss's share of the gradient.

    A total of several losses says little of what is learned: one may be large and flat, another small and steep. Here
    the gradient of each loss is taken apart, with the weight the total gives it, in the parameters that at least two
    of the losses move (the encoder; a head that serves one loss is left out), and the norms are divided by their sum.
    Points go to the tracking as `gradient_share/NAME`; nothing where the total is one loss. Of several processes they
    are the first one's, of its own batch.

    Nothing here changes the run. It keeps the graph of an iteration for one more backward pass a loss, which encoders
    that `torch.compile` has compiled may refuse.

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
        try:
            shares = gradient_shares(engine.state.terms, trained)
        except RuntimeError as error:
            if "donated" not in str(error):
                raise
            raise RuntimeError(
                "A compiled encoder frees its graph and does not show which loss moves it: give compile or the "
                "interval between shares of the gradient (gradient_share_interval), not both."
            ) from error
        self.tracking.log_metrics({f"gradient_share/{name}": share for name, share in shares.items()})


def gradient_shares(losses: Mapping[str, Tensor], parameters: Sequence[Tensor]) -> dict[str, float]:
    """Shares of losses in the gradient of their weighted sum.

    Args:
        losses: by name, with their graphs, which are kept; `loss` is made of the others. Those that have no gradient,
            no part in it, or are a part of another one, are left out; of two names of one loss the second is.
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
    weighted = _outermost(_weighted(losses))
    norms = {name: _norms(value, weight, parameters) for name, (value, weight) in weighted.items()}
    if len(norms) < 2:
        return {}
    norms_LP = torch.stack(list(norms.values()))  # nan where a loss does not move a parameter
    shared_P = norms_LP.isfinite().sum(dim=0) > 1
    norm_L = norms_LP[:, shared_P].nan_to_num(0.0).norm(dim=1)
    shares = (norm_L / norm_L.sum()).tolist()
    return {name: share for name, share in zip(norms, shares, strict=True) if share == share}


def _weighted(losses: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """Losses that the total is made of, each once, and its derivative by them."""
    parts: dict[str, Tensor] = {}
    for name, value in losses.items():
        if name != Keys.LOSS and value.requires_grad and not any(value is part for part in parts.values()):
            parts[name] = value
    if not parts:
        return {}
    total = losses[Keys.LOSS].mean()
    weights = torch.autograd.grad(total, list(parts.values()), retain_graph=True, allow_unused=True)
    found = zip(parts.items(), weights, strict=True)
    return {name: (value, weight) for (name, value), weight in found if weight is not None}


def _outermost(weighted: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, tuple[Tensor, Tensor]]:
    """Losses that none of the others is made of."""
    inner: set[str] = set()
    for name, (value, _) in weighted.items():
        others = [other for other in weighted if other != name]
        if others:
            values, ones = [weighted[other][0] for other in others], torch.ones_like(value)
            found = torch.autograd.grad(value, values, ones, retain_graph=True, allow_unused=True)
            inner |= {other for other, gradient in zip(others, found, strict=True) if gradient is not None}
    return {name: pair for name, pair in weighted.items() if name not in inner}


def _norms(value: Tensor, weight: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Norms (P,) of a loss's gradients, nan where it has none: the gradients themselves are as large as the network."""
    gradients = torch.autograd.grad(value, parameters, weight, retain_graph=True, allow_unused=True)
    norms = iter(norms_of([gradient for gradient in gradients if gradient is not None]))
    nothing = value.new_full((), torch.nan, dtype=torch.float32)
    return torch.stack([nothing if gradient is None else next(norms).float() for gradient in gradients])
