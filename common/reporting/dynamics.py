"""How a training goes: loss and gradient norm of every step, and the sharpness at intervals."""

import json
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from ignite.engine import Events
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from monai.engines.utils import IterationEvents
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import Dataset, default_collate

from ..engines import RunEvents, Trainer, rank
from ..engines.clipping import global_norm
from ..evaluation.sharpness import Sharpness, network_sharpness
from ..figures import TEXT, as_written, series
from ..files import write_atomically
from ..sampling import SampleKey

if TYPE_CHECKING:
    from .tracking import Tracking

CURVES = {"loss": "loss", "gradient_norm": "gradient norm", "sharpness": "sharpness"}
Curves = Mapping[str, Sequence[tuple[int, float]]]


class LogDynamics:
    """Handler of a trainer that follows loss, gradient norm and sharpness over its steps.

    The gradient norm is that of all trained parameters together, before clipping. The sharpness is the largest
    eigenvalue of the Hessian of the training loss on a fixed batch, in training mode and without autocast. It keeps
    the graph of a gradient, several times the memory of a step of `count` samples, and each Hessian-vector product is
    a backward pass through it. Nothing here changes the run: its weights stay the same to the bit.

    Points go to the tracking as `dynamics/...`; at the end a figure and `dynamics.json` are left, from which
    `dynamics_figure` draws several runs together. Its state belongs into the checkpoints (`extra` of `Checkpoints`), so
    that the curves of a resumed run are whole.

    Args:
        tracking: takes the points and the figure; None leaves files only.
        directory: where `dynamics.json` goes; made when absent.
        every: steps between two points of loss and gradient norm.
        sharpness_every: steps between two measurements, the first after the first step; None measures none.
        dataset: its first samples of the first epoch are the fixed batch; needed for the sharpness.
        count: samples in that batch.
        products: Hessian-vector products per measurement and round, at most; where the first round does not settle a
            second follows.
        tolerance: relative change at which a measurement ends.

    Raises:
        ValueError: intervals below 1, or a sharpness without samples.

    Source: the CT method's study of training dynamics (Figure 3).
    """

    def __init__(
        self,
        tracking: "Tracking | None" = None,
        directory: str | Path = ".",
        every: int = 1,
        sharpness_every: int | None = None,
        dataset: Dataset | None = None,
        count: int = 2,
        products: int = 20,
        tolerance: float = 0.01,
    ):
        if every < 1 or (sharpness_every is not None and sharpness_every < 1):
            raise ValueError(f"every is {every} and sharpness_every {sharpness_every}; both must be 1 or more steps.")
        if sharpness_every is not None and (dataset is None or count < 1):
            raise ValueError("sharpness_every needs `dataset` and a `count` of 1 or more samples for its fixed batch.")
        self.tracking, self.directory, self.every, self.sharpness_every = (
            tracking,
            Path(directory),
            every,
            sharpness_every,
        )
        self.dataset, self.count, self.products, self.tolerance = dataset, count, products, tolerance
        self.curves: dict[str, list[tuple[int, float]]] = {name: [] for name in CURVES}
        self.steps = 0  # of the optimiser; an iteration that only accumulates is none
        self._norm: Tensor | None = None
        self._batch: Any = None

    def attach(self, engine: Trainer) -> None:
        """Follow this trainer, on the first process."""
        if rank() > 0:
            return
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self._measure_norm)
        engine.add_event_handler(RunEvents.STEPPED, self._record)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def state_dict(self) -> dict[str, Any]:
        """The curves so far, (points, 2) of iteration and value, and the steps they cover."""
        curves = {name: torch.tensor(points, dtype=torch.float64).view(-1, 2) for name, points in self.curves.items()}
        return {"steps": self.steps, "curves": curves}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take them back."""
        self.steps = int(state["steps"])
        self.curves = {name: [(int(i), value) for i, value in state["curves"][name].tolist()] for name in CURVES}

    def sharpness(self, engine: Trainer) -> Sharpness:
        """Measure on the fixed batch with the weights as they are."""
        network = engine.network.module if isinstance(engine.network, DistributedDataParallel) else engine.network
        if self._batch is None:
            self._batch = default_collate([self.dataset[SampleKey(0, index)] for index in range(self.count)])  # type: ignore[index]
        inputs, targets, *more = engine.prepare_batch(self._batch, engine.state.device, False, **engine.to_kwargs)
        arguments, named = more or ((), {})

        def loss() -> Tensor:
            losses = engine.loss_function(engine.inferer(inputs, network, *arguments, **named), targets)
            return (losses if isinstance(losses, Tensor) else losses["loss"]).mean()

        return network_sharpness(network, loss, self.products, self.tolerance)

    def _measure_norm(self, engine: Trainer) -> None:
        parameters = [p for group in engine.optimizer.param_groups for p in group["params"] if p.grad is not None]
        self._norm = global_norm([p.grad for p in parameters]) if parameters else None

    def _record(self, engine: Trainer) -> None:
        step, points = engine.state.iteration, {}
        if self.steps % self.every == 0:
            points["loss"] = float(engine.state.losses["loss"])
            if self._norm is not None:
                points["gradient_norm"] = self._norm.item()
        if self.sharpness_every is not None and self.steps % self.sharpness_every == 0:
            found = self.sharpness(engine)
            points["sharpness"] = found.value
            points["sharpness_converged"] = float(found.converged)
        for name in CURVES.keys() & points.keys():
            self.curves[name].append((step, points[name]))
        self.steps += 1
        if points and self.tracking is not None:
            self.tracking.log_metrics({f"dynamics/{name}": value for name, value in points.items()}, step)

    def _finish(self, engine: Trainer) -> None:
        path = self.directory / "dynamics.json"
        write_atomically(json.dumps(self.curves) + "\n", path)
        if self.tracking is not None:
            self.tracking.log_artifact(path)
            self.tracking.log_figure("dynamics", dynamics_figure({"this run": self.curves}))


def dynamics_figure(runs: Mapping[str, Curves]) -> Figure:
    """Loss, gradient norm and sharpness over the iterations, one line for each run.

    Args:
        runs: curves by the run's name, as in `dynamics.json`; points are (iteration, value).
    """
    shown = [name for name in CURVES if any(curves.get(name) for curves in runs.values())]
    lines = dict(zip(runs, series(len(runs)), strict=True))
    columns = max(len(shown), 1)
    figure = Figure(figsize=(3.0 * columns, 2.7 + 0.2 * ceil(len(runs) / columns)), layout="constrained")
    panels = figure.subplots(1, columns, squeeze=False)[0]
    for axes, name in zip(panels, shown, strict=False):
        for run, curves in runs.items():
            if curves.get(name):
                iterations, values = zip(*curves[name], strict=True)
                marker = "." if name == "sharpness" else None
                axes.plot(iterations, values, linewidth=1.2, marker=marker, **lines[run]._asdict())
        axes.set_xlabel("iteration", fontsize=TEXT + 1)
        axes.set_ylabel(CURVES[name], fontsize=TEXT + 1)
        axes.tick_params(labelsize=TEXT)
        axes.locator_params(axis="x", nbins=5)
    handles = [Line2D([], [], label=as_written(run), **line._asdict()) for run, line in lines.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=TEXT)
    return figure


def smoothed(points: Sequence[Sequence[float]], width: int) -> list[tuple[int, float]]:
    """Means of `width` points each at the last of their iterations; what is left over at the end is dropped."""
    groups = [points[start : start + width] for start in range(0, len(points) - width + 1, width)]
    return [(int(group[-1][0]), sum(value for _, value in group) / width) for group in groups]
