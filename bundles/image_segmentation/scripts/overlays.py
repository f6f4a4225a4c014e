"""Pictures of the worst, the middling and the best predictions of an evaluation."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ignite.engine import Engine, Events

from bundles.image_segmentation.scripts.overlay_figure import dice_of, overlay_figure

if TYPE_CHECKING:
    from common.reporting import Tracking

Scored = tuple[float, Mapping[str, Any]]
POOL = 32  # images kept for the middle, whose place is known at the end alone; evenly spread over all


class LogOverlays:
    """Handler of an evaluator: outlines on images, sent to the tracking when the result is the best so far.

    It shows the images with the lowest and the highest mean Dice of all, and those nearest to the median; of thousands,
    the latter are chosen among some that lie evenly in the data set's order, since not all can be kept.

    Args:
        structures: names of the channels.
        tracking: takes the figures.
        count: images of each kind, 1 or more.
        split: of the data set, for the title.
    """

    def __init__(self, structures: Sequence[str], tracking: "Tracking", count: int = 2, split: str = ""):
        self.structures = list(structures)
        self.tracking = tracking
        self.count, self.split = count, split

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

    def add(self, item: Mapping[str, Any]) -> None:
        """Keep an item with `image`, `label`, `pred` and `source` where it may be shown; unannotated, it is not."""
        dice_K = dice_of(item)
        if dice_K.isnan().all():
            return
        scored = dice_K.nanmean().item(), item
        self.worst = sorted([*self.worst, scored], key=_dice)[: self.count]
        self.best = sorted([*self.best, scored], key=_dice, reverse=True)[: self.count]
        if len(self.scores) % self._stride == 0:
            self.pool.append(scored)
        if len(self.pool) > POOL:
            self.pool, self._stride = self.pool[::2], 2 * self._stride
        self.scores.append(scored[0])

    def chosen(self) -> dict[str, list[Mapping[str, Any]]]:
        """Items by kind, none of them twice where there are enough."""
        middle = float(np.median(self.scores))
        taken = {id(item) for _, item in self.worst + self.best}
        others = [scored for scored in self.pool if id(scored[1]) not in taken]
        nearest = sorted(others or self.pool, key=lambda scored: abs(scored[0] - middle))[: self.count]
        kinds = {"worst": self.worst, f"nearest to the median {middle:.2f}": nearest, "best": self.best}
        return {kind: [item for _, item in scored] for kind, scored in kinds.items()}

    def _log(self, engine: Engine) -> None:
        state: Any = engine.state
        if self.scores and state.epoch == state.best_metric_epoch:
            where = f"{self.split} split: " if self.split else ""
            title = f"{where}{len(self.scores)} images by their mean Dice"
            self.tracking.log_figure("predictions", overlay_figure(self.chosen(), self.structures, title))


def _dice(scored: Scored) -> float:
    return scored[0]
