"""Learning rate, weight decay and momentum as closed forms of the iteration.

Nothing here has a state: a resumed run computes the same values again.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import nn
from torch.optim import Optimizer

from .events import RunEvents
from .method import MethodWithTeacher


class Cosine:
    """Half a cosine from one value to another, after a linear warm-up.

    value_i = f + (b - f)(1 + cos(pi i / T)) / 2 for i = 0 .. T-1 after the warm-up (methods, notation). The warm-up
    goes in equal steps from `warmup_from` in its first iteration to `base` in its last.

    Args:
        base: value b at the beginning of the cosine.
        final: value f that the cosine approaches.
        warmup_epochs: length of the warm-up in epochs, 0 or more, fractions allowed; at most half of the run is taken,
            so that a round of federated training may be short.
        warmup_from: value in the first iteration of the warm-up.
        per_epoch: keep the value of an epoch's first iteration throughout the epoch (Adam).

    Example:
        >>> schedule = Cosine(base=1.0, final=0.0, warmup_epochs=1)
        >>> [round(schedule.value(iteration, iterations_per_epoch=2, epochs=3), 3) for iteration in range(6)]
        [0.0, 1.0, 1.0, 0.854, 0.5, 0.146]
    """

    def __init__(
        self,
        base: float,
        final: float,
        warmup_epochs: float = 0,
        warmup_from: float = 0.0,
        per_epoch: bool = False,
    ):
        self.base, self.final = float(base), float(final)
        self.warmup_epochs, self.warmup_from = float(warmup_epochs), float(warmup_from)
        self.per_epoch = per_epoch

    def value(self, iteration: int, iterations_per_epoch: int, epochs: int) -> float:
        """Value in an iteration.

        Args:
            iteration: counted from 0 over the whole run.
            iterations_per_epoch: 1 or more.
            epochs: of the whole run, warm-up included.
        """
        warmup = round(min(self.warmup_epochs, epochs / 2) * iterations_per_epoch)
        total = epochs * iterations_per_epoch - warmup
        if self.per_epoch:
            iteration -= iteration % iterations_per_epoch
        if iteration < warmup:
            return self.warmup_from + (self.base - self.warmup_from) * iteration / max(warmup - 1, 1)
        phase = math.pi * min(iteration - warmup, total) / max(total, 1)
        return self.final + (self.base - self.final) * (1 + math.cos(phase)) / 2


def parameter_groups(network: nn.Module) -> list[dict[str, Any]]:
    """Split what is trained into matrices, which decay, and biases and other 1-D parameters, which do not.

    Args:
        network: its parameters without gradient (a teacher's) are left out.

    Returns:
        Groups for an optimiser; `decay` marks the ones that `ApplySchedules` gives its weight decay.

    Example:
        >>> [(len(group["params"]), group["decay"]) for group in parameter_groups(nn.Linear(2, 2))]
        [(1, True), (1, False)]
    """
    trained = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "decay": True},
        {"params": [p for p in trained if p.ndim <= 1], "decay": False, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


class ApplySchedules:
    """Sets learning rate and weight decay at the start of every iteration.

    Args:
        optimizer: its groups are changed; weight decay only where a group has `decay: True`.
        lr: learning rate over the run; None leaves the optimiser's own.
        weight_decay: likewise.
        extra: further values by name, each a pair of a schedule and a setter that takes the value.

    Raises:
        ValueError: a weight decay is given and no group takes it.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr: Cosine | None = None,
        weight_decay: Cosine | None = None,
        extra: Mapping[str, tuple[Cosine, Callable[[float], Any]]] | None = None,
    ):
        if weight_decay is not None and not any(group.get("decay") for group in optimizer.param_groups):
            raise ValueError(
                "schedules#weight_decay would do nothing: no parameter group of the optimiser has `decay: True`. "
                "Build the optimiser with params: $common.engines.parameter_groups(...)"
            )
        self.optimizer, self.lr, self.weight_decay, self.extra = optimizer, lr, weight_decay, dict(extra or {})

    def attach(self, engine: Engine) -> None:
        """Follow this trainer's iterations."""
        engine.add_event_handler(Events.ITERATION_STARTED, self._apply)

    def _apply(self, engine: Engine) -> None:
        if self.lr is not None:
            value = now(self.lr, engine, "learning_rate")
            for group in self.optimizer.param_groups:
                group["lr"] = value
        if self.weight_decay is not None:
            value = now(self.weight_decay, engine, "weight_decay")
            for group in self.optimizer.param_groups:
                if group.get("decay"):
                    group["weight_decay"] = value
        for name, (schedule, setter) in self.extra.items():
            setter(now(schedule, engine, name))


class UpdateTeacher:
    """Moves a momentum teacher after every step of the optimiser, never before it and never between two.

    Args:
        method: the training module, not its distributed wrapper; its `update_teacher` is called.
        momentum: schedule over the run (DINO and ACE: cosine from 0.996 to 1).
    """

    def __init__(self, method: MethodWithTeacher, momentum: Cosine):
        self.method, self.momentum = method, momentum

    def attach(self, engine: Engine) -> None:
        """Follow this trainer's steps."""
        engine.add_event_handler(RunEvents.STEPPED, self._update)

    def _update(self, engine: Engine) -> None:
        self.method.update_teacher(now(self.momentum, engine, "momentum"))


class FreezeLastLayer:
    """Drops the gradients of some parameters in the first epochs, so that they stay as they were.

    Self-distillation keeps its last layer still while the rest finds its direction. The parameters keep
    `requires_grad`, which distributed training wants constant.

    Args:
        parameters: which; they get neither an update nor weight decay.
        epochs: how long.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], epochs: int):
        self.parameters, self.epochs = list(parameters), epochs

    def attach(self, engine: Engine) -> None:
        """Follow this trainer's backward passes."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self._drop)

    def _drop(self, engine: Engine) -> None:
        if engine.state.epoch <= self.epochs:
            for parameter in self.parameters:
                parameter.grad = None


def now(schedule: Cosine, engine: Engine, name: str) -> float:
    """Value of a schedule in the engine's current iteration, noted in `engine.state.schedules` for tracking."""
    state: Any = engine.state
    value = schedule.value(state.iteration - 1, state.epoch_length, state.max_epochs)
    state.schedules = {**getattr(state, "schedules", {}), name: value}
    return value
