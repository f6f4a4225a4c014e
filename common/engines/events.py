"""Events that Ignite and MONAI lack."""

from ignite.engine import EventEnum


class RunEvents(EventEnum):
    """What happens around iterations and epochs.

    `RESUME`: before a trainer's first run, ahead of every handler of `STARTED`: saved states are loaded here, so
    that no handler sees the state of a fresh engine first.
    `STEPPED`: the optimiser has stepped. With accumulation that is not every iteration, whereas MONAI's
    `MODEL_COMPLETED` fires in each; a momentum teacher follows this one.
    `FINISHED_BEFORE`: the run was finished when it was started; nothing else fires.
    `ABORTED`: the run has raised, whatever the exception; `engine.state.error` holds it. Ignite's own
    `EXCEPTION_RAISED` stops at the first handler that raises again, so that later handlers never hear of it.
    """

    RESUME = "resume"
    STEPPED = "stepped"
    FINISHED_BEFORE = "finished_before"
    ABORTED = "aborted"
