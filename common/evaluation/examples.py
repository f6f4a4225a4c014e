"""Pictures of the worst, the middling and the best predictions of an evaluation."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ignite.engine import Engine, Events
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Item = Mapping[str, Any]
Scored = tuple[float, Item]
POOL = 32  # images kept for the middle, whose place is known at the end alone; evenly spread over all


class LogExamples(ABC):
    """Handler of an evaluator: a figure of some images, offered to the tracking when the result is the best so far.

    It shows the images with the worst and the best score of all, and those nearest to the median; of thousands, the
    latter are chosen among some that lie evenly in the data set's order, since not all can be kept.

    Args:
        tracking: `common.reporting.Tracking`, which takes the figures.
        count: images of each kind, 1 or more.
        split: of the data set, for the title.
    """

    measure: ClassVar[str]
    """What the score is called, such as `mean Dice`."""
    high_is_good: ClassVar[bool] = True
    digits: ClassVar[int] = 2
    """After the point, of the score in a title."""

    def __init__(self, tracking: Any, count: int = 2, split: str = ""):
        self.tracking = tracking
        self.count, self.split = count, split

    @abstractmethod
    def score(self, item: Item) -> float:
        """Of an item with `image`, `label`, `pred` and `source`; nan where it is not to be shown."""

    @abstractmethod
    def draw(self, items: Mapping[str, Sequence[Item]], title: str) -> "Figure":
        """The figure of items by kind."""

    def attach(self, engine: Engine) -> None:
        """Collect during the run and draw at its end."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        engine.add_event_handler(Events.COMPLETED, self._log)

    def _start(self, engine: Engine) -> None:
        self.scores: list[float] = []
        self.worst: list[Scored] = []
        self.best: list[Scored] = []
        self.pool: list[Scored] = []
        self._stride = 1

    def _collect(self, engine: Engine) -> None:
        state: Any = engine.state
        for output, batch in zip(state.output, state.batch, strict=True):
            self.add({**output, "source": batch["source"]})

    def add(self, item: Item) -> None:
        """Keep an item where it may be shown."""
        score = self.score(item)
        if math.isnan(score):
            return
        scored = score, item
        self.worst = sorted([*self.worst, scored], key=_score, reverse=not self.high_is_good)[: self.count]
        # among equals the last, as the worst has the first, so that no image is both
        self.best = sorted([scored, *self.best], key=_score, reverse=self.high_is_good)[: self.count]
        if len(self.scores) % self._stride == 0:
            self.pool.append(scored)
        if len(self.pool) > POOL:
            self.pool, self._stride = self.pool[::2], 2 * self._stride
        self.scores.append(score)

    def chosen(self) -> dict[str, list[Item]]:
        """Items by kind, none of them twice: of few images there are fewer of a kind, and of one no worst and best."""
        middle = float(np.median(self.scores))
        each = min(self.count, (len(self.scores) + 1) // 3)  # one of two, three or four images is the worst
        worst, best = self.worst[:each], self.best[:each]
        taken = {id(item) for _, item in worst + best}
        others = [scored for scored in self.pool if id(scored[1]) not in taken]
        nearest = sorted(others, key=lambda scored: abs(scored[0] - middle))[: self.count]
        kinds = {"worst": worst, f"nearest to the median {middle:.{self.digits}f}": nearest, "best": best}
        return {kind: [item for _, item in scored] for kind, scored in kinds.items() if scored}

    def _log(self, engine: Engine) -> None:
        state: Any = engine.state
        if self.scores and state.epoch == state.best_metric_epoch:
            where = f"{self.split} split: " if self.split else ""
            title = f"{where}{len(self.scores)} images by their {self.measure}"
            chosen = {kind: [_kept(item) for item in items] for kind, items in self.chosen().items()}
            self.tracking.offer_figure("predictions", partial(self.draw, chosen, title))


def _kept(item: Item) -> Item:
    """By itself in host memory: a picture may wait, and its batch shall not wait on the device with it."""
    return {k: v.detach().to("cpu", copy=True) if isinstance(v, Tensor) else v for k, v in item.items()}


def _score(scored: Scored) -> float:
    return scored[0]
