"""What handlers that write a single file of a whole folder have in common."""

from abc import ABC, abstractmethod
from typing import Any

from ignite.engine import Engine, Events


class SaveItems(ABC):
    """Base of an evaluator's handlers that keep something of every image and write it at the end.

    What was found before an error ended the run is written too.
    """

    def attach(self, engine: Engine) -> None:
        """Collect after every batch and write at the end, also where an error ends the run."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        engine.add_event_handler(Events.COMPLETED, self._write)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._write_and_raise)

    @abstractmethod
    def kept(self, item: dict[str, Any], batch: dict[str, Any]) -> Any:
        """What to keep of an image, from the evaluator's output and its input."""

    @abstractmethod
    def write(self) -> None:
        """Write `self.items`, one for each image, and say so."""

    def _start(self, engine: Engine) -> None:
        self.items: list[Any] = []

    def _collect(self, engine: Engine) -> None:
        state: Any = engine.state
        self.items += [self.kept(item, batch) for item, batch in zip(state.output, state.batch, strict=True)]

    def _write(self, engine: Engine) -> None:
        self.write()

    def _write_and_raise(self, engine: Engine, error: BaseException) -> None:
        self.write()
        raise error
