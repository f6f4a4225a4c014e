"""How fast a trainer runs and how long it waits for data."""

import time
from typing import NamedTuple

from ignite.engine import Engine, Events

from . import distributed
from .batches import batch_size


class Reading(NamedTuple):
    """What has been measured up to a moment; the difference of two is what lies between them."""

    iterations: int = 0
    images: int = 0
    busy: float = 0.0
    waited: float = 0.0

    @property
    def images_per_second(self) -> float:
        """Images of all processes per second; 0 before the first iteration."""
        return self.images * distributed.world_size() / self.busy if self.busy else 0.0

    @property
    def data_wait(self) -> float:
        """Share of the time spent waiting for the data loader, in [0, 1]."""
        return self.waited / self.busy if self.busy else 0.0

    def since(self, earlier: "Reading") -> "Reading":
        """What has been measured after an earlier reading."""
        return Reading(
            self.iterations - earlier.iterations,
            self.images - earlier.images,
            self.busy - earlier.busy,
            self.waited - earlier.waited,
        )


class Speed:
    """Measures iterations from Ignite's events: from asking for a batch to the end of the iteration.

    Validation and checkpoints lie outside, so the numbers say what a step costs. A trainer has one as `trainer.speed`:
    `trainer.speed.reading.images_per_second`.
    """

    def __init__(self) -> None:
        self.reading = Reading()
        self._size = 0
        self._asked = self._received = 0.0

    def attach(self, engine: Engine) -> None:
        """Measure this engine."""
        engine.add_event_handler(Events.GET_BATCH_STARTED, self._ask)
        engine.add_event_handler(Events.GET_BATCH_COMPLETED, self._receive)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._complete)

    def _ask(self) -> None:
        self._asked = time.perf_counter()

    def _receive(self, engine: Engine) -> None:
        self._received = time.perf_counter()
        self._size = batch_size(engine.state.batch)  # decollation takes the batch apart later

    def _complete(self) -> None:
        count, images, busy, waited = self.reading
        busy, waited = busy + time.perf_counter() - self._asked, waited + self._received - self._asked
        self.reading = Reading(count + 1, images + self._size, busy, waited)
