"""What the downstream metrics share: collect per image, over all processes, and report once at the end.

One object measures everything about a task, so predictions are kept once and every number of a run belongs
to the same images.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from ignite.engine import Engine
from ignite.metrics import Metric
from monai.handlers import from_engine
from monai.utils import convert_to_tensor
from torch import Tensor

from ..scoring.from_rows import Row
from ..scoring.scorers import Scorer

Item = tuple[str, Tensor, Tensor]
"""(source file, prediction, label) or what a report keeps of them."""


@dataclass(frozen=True)
class Outcome:
    """The result of one evaluation.

    Args:
        metrics: numbers by name, the headline among them; nan where undefined.
        table: one row per class or structure.
        images: one row per image.
        curves: per class (x, y) of a curve to draw, if the task has one.
        notices: what was left out and why, to be shown with the numbers.
    """

    metrics: dict[str, float]
    table: list[Row]
    images: list[Row]
    curves: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


class Report(Metric):
    """Base of the downstream metrics: an ignite metric that reads `pred` and `label` and keeps one item per image.

    In `engine.state.metrics` it writes the headline under the name it is attached by, and every other number under
    its own; the whole `Outcome` goes to `engine.state.metric_details`, where MONAI keeps details.

    Args:
        headline: which of the outcome's metrics is the key metric.
    """

    def __init__(self, headline: str):
        self.headline = headline
        self.outcome: Outcome | None = None
        super().__init__(output_transform=from_engine(["pred", "label"]), skip_unrolling=True)

    def reset(self) -> None:
        """Forget the images seen so far; the outcome of the last run stays readable."""
        self._items: list[Item] = []
        self._sources: list[str] | None = None

    def iteration_completed(self, engine: Engine) -> None:
        """Note which files the batch came from, then update."""
        self._sources = _sources(engine.state.batch)
        super().iteration_completed(engine)

    def update(self, output: tuple[Any, Any]) -> None:
        """Keep what is needed of one batch: tensors with a batch dimension, or lists of tensors without."""
        predictions, labels = (
            torch.stack([convert_to_tensor(item, track_meta=False) for item in part]).detach() for part in output
        )
        sources = self._sources or [""] * len(predictions)
        kept = self.keep(predictions, labels)
        self._items += [(source, *parts) for source, *parts in zip(sources, *kept, strict=True)]

    def keep(self, predictions: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """What to keep of a batch, on the CPU, one row per image."""
        return predictions.float().cpu(), labels.float().cpu()

    @abstractmethod
    def report(self, sources: list[str], predictions: Tensor, labels: Tensor) -> Outcome:
        """Turn everything kept into an outcome."""

    def scorer(self, outcome: Outcome) -> Scorer | None:
        """Scores any of the outcome's images; None where a report cannot say that of some of them."""
        return None

    def told(self) -> dict[str, Any]:
        """What a reader of the rows of images must know, by the names of `evaluation.json`: task and classes."""
        return {}

    def compute(self) -> dict[str, float]:
        """Numbers by name over the images of all processes; raises ValueError when there were none."""
        items = _over_processes(self._items)
        if not items:
            raise ValueError(
                "No image was evaluated: the validation data set is empty. Check `dataset_dir` and its splits."
            )
        sources, predictions, labels = zip(*items, strict=True)
        self.outcome = self.report(list(sources), torch.stack(predictions), torch.stack(labels))
        return self.outcome.metrics

    def completed(self, engine: Engine, name: str) -> None:
        """Write each number under its own name and the headline under the metric's."""
        metrics = self.compute()
        engine.state.metrics.update(metrics)
        engine.state.metrics[name] = metrics[self.headline]
        details = getattr(engine.state, "metric_details", {})
        engine.state.metric_details = {**details, name: self.outcome}  # type: ignore[attr-defined]


def better_than(value: float, best: float) -> bool:
    """Whether a key metric improves on the best one so far: larger, and a number after none.

    MONAI's own comparison never replaces a best value of nan, which a first epoch without positives gives.
    """
    return not math.isnan(value) and (math.isnan(best) or value > best)


def lower_than(value: float, best: float) -> bool:
    """As `better_than` for a metric that is better the smaller it is, such as a loss."""
    return not math.isnan(value) and (math.isnan(best) or value < best)


def defined_mean(values: Sequence[float]) -> float:
    """Mean of the values that are numbers; nan when none is."""
    numbers = [value for value in values if not math.isnan(value)]
    return sum(numbers) / len(numbers) if numbers else float("nan")


def _sources(batch: Any) -> list[str] | None:
    """File names of a batch, before or after MONAI's decollating; None when it has none."""
    if isinstance(batch, list):
        return [str(item["source"]) for item in batch] if batch and "source" in batch[0] else None
    return [str(source) for source in batch["source"]] if "source" in batch else None


def _over_processes(items: list[Item]) -> list[Item]:
    """The items of all processes in the order of their ranks, each file once."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return items
    parts: list[list[Item]] = [[] for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(parts, items)
    named: dict[str, Item] = {}
    for number, item in enumerate(item for part in parts for item in part):
        named.setdefault(item[0] or str(number), item)  # a padded sampler shows some images twice
    return list(named.values())
