"""Events that Ignite and MONAI lack."""

import functools
import logging
from collections.abc import Callable
from typing import Any

from ignite.engine import EventEnum

logger = logging.getLogger(__name__)


class RunEvents(EventEnum):
    """What happens around iterations and epochs.

    `RESUME`: before a trainer's first run, ahead of every handler of `STARTED`: saved states are loaded here, so
    that no handler sees the state of a fresh engine first.
    `STEPPED`: the optimiser has stepped. With accumulation that is not every iteration, whereas MONAI's
    `MODEL_COMPLETED` fires in each; a momentum teacher follows this one.
    `FINISHED`: the run has ended well, after every handler of `COMPLETED`, any of which may still fail.
    `FINISHED_BEFORE`: the run was finished when it was started; nothing else fires.
    `ABORTED`: the run has raised, whatever the exception; `engine.state.error` holds it. Ignite's own
    `EXCEPTION_RAISED` stops at the first handler that raises again, so that later handlers never hear of it.
    """

    RESUME = "resume"
    STEPPED = "stepped"
    FINISHED = "finished"
    FINISHED_BEFORE = "finished_before"
    ABORTED = "aborted"


def whatever_happens(handler: Callable[..., None]) -> Callable[..., None]:
    """A handler whose own error is logged: those of `ABORTED` must not hide the error they are told of.

    Args:
        handler: of `ABORTED`.
    """

    @functools.wraps(handler)
    def handle(*arguments: Any) -> None:
        try:
            handler(*arguments)
        except Exception as error:
            logger.warning("While the run was being ended, this failed too: %s", error)

    return handle
