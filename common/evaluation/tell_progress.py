"""How far an evaluation or an inference is, for who waits for it."""

import logging
from typing import Any

from ignite.engine import Engine, Events

from ..engines import rank
from ..files.bar import Bar

logger = logging.getLogger(__name__)


class TellProgress:
    """Handler of an evaluator: a bar on a terminal, and a line every 20 seconds in a file, on the first process.

    Where every image goes through the network several times, their number is said before the first. List it before
    handlers that print at the end.

    Args:
        what: is evaluated, such as the name of a split.
        passes: times that each batch goes through the network, 1 or more, each of which counts.
        faster: how to have one pass, for a person: `--ten_crop False`.
    """

    def __init__(self, what: str = "images", passes: int = 1, faster: str = ""):
        self.what, self.passes, self.faster = what, passes, faster
        self._bar: Bar | None = None
        self._hook: Any = None

    def attach(self, engine: Engine) -> None:
        """Follow this evaluator."""
        if rank() == 0:
            engine.add_event_handler(Events.STARTED, self._begin)
            engine.add_event_handler(Events.COMPLETED, self._end)
            engine.add_event_handler(Events.EXCEPTION_RAISED, self._raised)
            if self.passes == 1:
                engine.add_event_handler(Events.ITERATION_COMPLETED, self._count)

    def _begin(self, engine: Any) -> None:
        batches = engine.state.epoch_length
        if self.passes > 1:
            images = len(engine.data_loader.dataset)
            logger.info(
                "%s: %d images, each %d times through the network, %d passes in all.%s",
                *(self.what, images, self.passes, images * self.passes),
                f" Once each is faster: {self.faster}" if self.faster else "",
            )
            self._hook = engine.network.register_forward_hook(self._count)
        self._bar = Bar(total=batches * self.passes, desc=self.what, unit="batch", leave=False)

    def _count(self, *_: Any) -> None:
        if self._bar is not None:
            self._bar.update()

    def _raised(self, error: BaseException) -> None:
        self._end()
        raise error

    def _end(self) -> None:
        if self._hook is not None:
            self._hook.remove()
        if self._bar is not None:
            self._bar.close()
        self._bar = self._hook = None
