"""What a training shows while it goes on: one line an epoch, and a bar where a person watches."""

import logging
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ignite.engine import Engine, Events
from monai.engines import Evaluator

from ..command import current_stage
from ..engines import Reading, RunEvents, Trainer, rank
from .closing_block import Judge, closing_block
from .durations import about, clock, pace_of

if TYPE_CHECKING:
    from torch import Tensor
    from tqdm import tqdm

    from .tracking import Tracking

logger = logging.getLogger(__name__)
BAR = "{desc} {bar} {n_fmt}/{total_fmt} {elapsed}<{remaining}"


class Progress:
    """Handler of a trainer: `epoch 3/30  loss 0.501  dice 0.797 (best)  12 img/s  1:04  29 min left`.

    The loss is the mean over the epoch, the metric is the one by which the best weights are kept, the images per second
    are those of training alone, and the time is that of the whole epoch with its validation. While standard error is a
    terminal, a bar below shows how far the epoch is. A run ends with what it came to and what to do next. List it after
    the handler that validates.

    Args:
        run_dir: of the run, which the last lines name.
        evaluator: whose key metric is shown; None shows none.
        best: judges which epoch is the best.
        tracking: knows where the curves are.
    """

    def __init__(
        self,
        run_dir: str,
        evaluator: Evaluator | None = None,
        best: Judge | None = None,
        tracking: "Tracking | None" = None,
    ):
        self.run_dir, self.evaluator, self.best, self.tracking = Path(run_dir), evaluator, best, tracking
        self._judged_at = -1
        self._bar: tqdm | None = None
        self._loss: Tensor | None = None
        self._speed = Reading()
        self._began = self._epoch_began = 0.0
        self._done_before = 0

    def attach(self, engine: Trainer) -> None:
        """Show this training, on the first process."""
        stage = current_stage()
        if stage is not None and not stage.is_last:
            engine.passed_over = f"stage {stage.name}: done before"
        if rank() > 0:
            return
        engine.add_event_handler(Events.STARTED, self._begin)
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin_epoch)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._count)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end_epoch)
        engine.add_event_handler(RunEvents.FINISHED, self._end)
        engine.add_event_handler(RunEvents.FINISHED_BEFORE, self._end)
        engine.add_event_handler(RunEvents.ABORTED, self._close_bar)
        if self.evaluator is not None:
            self.evaluator.add_event_handler(Events.EPOCH_STARTED, self._begin_judging)
            self.evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._count_judged)
            self.evaluator.add_event_handler(Events.COMPLETED, self._judged, engine)

    def _begin(self, engine: Trainer) -> None:
        self._began, self._done_before = time.monotonic(), engine.state.iteration

    def _begin_epoch(self, engine: Trainer) -> None:
        self._epoch_began, self._loss, self._speed = time.monotonic(), None, engine.speed.reading
        self._open_bar(f"epoch {engine.state.epoch}/{engine.state.max_epochs}", engine)

    def _count(self, engine: Trainer) -> None:
        loss = engine.state.losses["loss"]
        self._loss = loss if self._loss is None else self._loss + loss  # on its device: reading it would wait
        if self._bar is not None:
            self._bar.update()

    def _end_epoch(self, engine: Trainer) -> None:
        self._close_bar()
        state, lap = engine.state, engine.speed.reading.since(self._speed)
        parts = [f"epoch {state.epoch}/{state.max_epochs}"]
        if self._loss is not None and lap.iterations:
            parts.append(f"loss {float(self._loss) / lap.iterations:.4g}")
        parts += self._metric(engine)
        parts += [f"{pace_of(lap.images_per_second)} img/s", clock(time.monotonic() - self._epoch_began)]
        left = state.max_epochs * state.epoch_length - state.iteration
        if left:
            pace = (time.monotonic() - self._began) / max(state.iteration - self._done_before, 1)
            parts.append(f"{about(left * pace)} left")
        logger.info("  ".join(parts))

    def _metric(self, engine: Trainer) -> list[str]:
        if self.evaluator is None or self._judged_at != engine.state.iteration:
            return []
        name = self.evaluator.state.key_metric_name
        best = self.best.best_so_far if self.best is not None else None
        mark = " (best)" if best is not None and best[0] == engine.state.epoch else ""
        value = float(self.evaluator.state.metrics[name])
        return [f"{name} undefined" if math.isnan(value) else f"{name} {value:.4g}{mark}"]

    def _begin_judging(self, engine: Engine) -> None:
        self._open_bar("validation", engine)

    def _count_judged(self) -> None:
        if self._bar is not None:
            self._bar.update()

    def _judged(self, _evaluator: Engine, trainer: Trainer) -> None:
        self._close_bar()
        self._judged_at = trainer.state.iteration
        if trainer.state.iteration == 0:
            logger.info("  ".join([f"epoch 0/{trainer.state.max_epochs}", *self._metric(trainer), "before training"]))

    def _end(self, engine: Trainer) -> None:
        stage = current_stage()
        if stage is not None and not stage.is_last:
            return
        curves = self.tracking.where_to_look() if self.tracking is not None else []
        took = time.monotonic() - self._began if self._began else None
        logger.info("%s", closing_block(self.run_dir, engine, self.evaluator, self.best, curves, took))

    def _open_bar(self, title: str, engine: Engine) -> None:
        self._close_bar()
        if sys.stderr.isatty():
            from tqdm import tqdm

            length: Any = engine.state.epoch_length
            done = engine.state.iteration % length if isinstance(engine, Trainer) else 0
            self._bar = tqdm(total=length, initial=done, desc=title, leave=False, bar_format=BAR)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
