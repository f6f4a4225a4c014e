"""End a training whose validation no longer gets better."""

import logging
import math
from collections.abc import Mapping
from typing import Any, Literal

from ignite.engine import Engine, Events
from monai.engines import Evaluator

logger = logging.getLogger(__name__)


class StopEarly:
    """One handler for both engines: remembers an evaluator's best epoch and ends a trainer that does not beat it.

    Ignite's `EarlyStopping` takes nan for an improvement, counts an epoch that is judged again after a resume twice,
    and lets a run that it had stopped go on to its next evaluation.

    Its state belongs into the checkpoints (`extra` of `Checkpoints`), so that a resumed run counts on, and one that had
    stopped stays stopped.

    Args:
        metric: name among the evaluator's metrics; None is its key metric.
        patience: evaluations in a row without a better value after which training ends, however many epochs lie between
            two of them; None trains to the last epoch.
        best_is: whether `max` or `min` of the metric is best.

    Raises:
        ValueError: a patience below 1.
    """

    def __init__(self, metric: str | None, patience: int | None, best_is: Literal["max", "min"] = "min"):
        if patience is not None and patience < 1:
            raise ValueError(f"`patience` is {patience}; it must be 1 or more evaluations, or null.")
        self.metric, self.patience = metric, patience
        self.sign = {"max": 1.0, "min": -1.0}[best_is]
        self.epoch = self.latest = self.waited = 0
        self.value = float("nan")

    def attach(self, engine: Engine) -> None:
        """Watch an evaluator, or end a trainer; list it after the trainer's handler that validates."""
        if isinstance(engine, Evaluator):
            engine.add_event_handler(Events.COMPLETED, self._judge)
            return
        engine.add_event_handler(Events.STARTED, self._stop_when_stalled)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._stop_when_stalled)

    @property
    def best_so_far(self) -> tuple[int, float] | None:
        """Epoch and value of the best evaluation; None before the first that is defined."""
        return None if math.isnan(self.value) else (self.epoch, self.value)

    def state_dict(self) -> dict[str, Any]:
        """Epoch and value of the best so far, the last epoch that was judged, and how often in vain since the best."""
        return {"epoch": self.epoch, "value": self.value, "latest": self.latest, "waited": self.waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take them back."""
        self.epoch, self.value = int(state["epoch"]), float(state["value"])
        self.latest, self.waited = int(state["latest"]), int(state["waited"])

    def _judge(self, evaluator: Engine) -> None:
        metric = self.metric or evaluator.state.key_metric_name  # type: ignore[attr-defined]
        if metric not in evaluator.state.metrics:
            known = ", ".join(sorted(evaluator.state.metrics)) or "none"
            raise KeyError(f"the metric to stop by is {metric!r}; the evaluator's metrics are: {known}")
        value, epoch = float(evaluator.state.metrics[metric]), evaluator.state.epoch
        if math.isfinite(value) and (math.isnan(self.value) or self.sign * value > self.sign * self.value):
            self.epoch, self.value, self.waited = epoch, value, 0
            self._improved(metric)
        elif epoch > self.latest:  # a resumed run judges the epoch again that it was killed in
            self.waited += 1
        self.latest = epoch

    def _improved(self, metric: str) -> None:
        """What else happens in a best epoch."""

    def _stop_when_stalled(self, trainer: Engine) -> None:
        if self.patience is not None and not math.isnan(self.value) and self.waited >= self.patience:
            logger.info(
                "%d evaluations since epoch %d (%.4f) were no better: it ends.", self.waited, self.epoch, self.value
            )
            trainer.terminate()
