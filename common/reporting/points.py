"""The points of a training's curves."""

from collections.abc import Iterator

from ..engines import Reading, Trainer
from . import flatten


class Points:
    """Losses, schedules and speed of an iteration, speed since the points before."""

    def __init__(self) -> None:
        self._speed = Reading()

    def of(self, engine: Trainer) -> dict[str, float]:
        """Numbers by name, such as `train/loss`, of the iteration that has ended."""
        return dict(self._pairs(engine))

    def _pairs(self, engine: Trainer) -> Iterator[tuple[str, float]]:
        state = engine.state
        yield "epoch", float(state.epoch)
        for name, value in state.losses.items():
            yield from flatten.scalars(value, f"train/{name}")
        rate = {"learning_rate": engine.optimizer.param_groups[0]["lr"]}
        for name, value in {**rate, **state.schedules}.items():
            yield from flatten.scalars(value, f"schedule/{name}")
        lap, self._speed = engine.speed.reading.since(self._speed), engine.speed.reading
        if lap.iterations:
            yield "speed/images_per_second", lap.images_per_second
            yield "speed/data_wait", lap.data_wait
