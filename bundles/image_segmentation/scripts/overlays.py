"""Pictures of predictions: outlines of truth and prediction on the image."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ignite.engine import Engine, Events
from matplotlib.figure import Figure

from common.evaluation.figure_text import as_written
from common.evaluation.segmentation import dice_iou, overlap_counts
from common.records import IGNORE

if TYPE_CHECKING:
    from common.reporting import Tracking

COLUMNS = 4


class LogOverlays:
    """Handler of an evaluator: outlines on the first images, sent to the tracking when the result is the best so far.

    Args:
        structures: names of the channels.
        tracking: takes the figures.
        count: images to draw, 1 or more.
    """

    def __init__(self, structures: Sequence[str], tracking: "Tracking", count: int = 8):
        self.structures = list(structures)
        self.tracking = tracking
        self.count = count

    def attach(self, engine: Engine) -> None:
        """Collect during the run and draw at its end."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        engine.add_event_handler(Events.COMPLETED, self._log)

    def _start(self, engine: Engine) -> None:
        self.items: list[dict[str, Any]] = []

    def _collect(self, engine: Engine) -> None:
        state: Any = engine.state
        for item, batch in zip(state.output, state.batch, strict=True):
            if len(self.items) < self.count:
                self.items.append({**item, "source": batch["source"]})

    def _log(self, engine: Engine) -> None:
        state: Any = engine.state
        if state.epoch == state.best_metric_epoch:
            self.tracking.log_figure("predictions", overlay_figure(self.items, self.structures))


def overlay_figure(items: Sequence[dict[str, Any]], structures: Sequence[str]) -> Figure:
    """One panel per item with `image` (C, H, W), `label` and `pred` (K, H, W) and `source`; titles tell the Dice."""
    rows = -(-len(items) // COLUMNS)
    figure = Figure(figsize=(3 * COLUMNS, 3.3 * rows), layout="constrained")
    panels = np.ravel(figure.subplots(rows, COLUMNS, squeeze=False))
    for panel in panels:
        panel.axis("off")
    for panel, item in zip(panels, items, strict=False):
        dice_K = dice_iou(overlap_counts(item["pred"][None], item["label"][None]))[0][0]
        panel.imshow(item["image"].float().mean(0).cpu(), cmap="gray", vmin=0, vmax=1)
        for k in range(len(structures)):
            truth_HW, predicted_HW = item["label"][k].cpu(), item["pred"][k].cpu()
            _outline(panel, np.asarray(truth_HW == 1), "lime")
            _outline(panel, np.asarray(truth_HW == IGNORE), "yellow")
            _outline(panel, np.asarray(predicted_HW > 0.5), "red")
        scores = ", ".join(f"{name} {value:.2f}" for name, value in zip(structures, dice_K.tolist(), strict=True))
        panel.set_title(as_written(f"{Path(item['source']).name}\n{scores}"), fontsize=7)
    figure.suptitle("truth green, prediction red, not annotated yellow; Dice", fontsize=8)
    return figure


def _outline(panel: Any, mask_HW: np.ndarray, colour: str) -> None:
    if mask_HW.any() and not mask_HW.all():  # matplotlib warns when there is no outline to draw
        panel.contour(mask_HW, levels=[0.5], colors=colour, linewidths=0.8)
