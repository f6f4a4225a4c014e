"""Pictures take a small share of a training's time, and the last one is never lost."""

import pytest

from common.reporting import paced_figures
from common.reporting.paced_figures import PacedFigures


@pytest.fixture
def clock(monkeypatch):
    """A monotonic clock that moves when it is told to."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    monkeypatch.setattr(paced_figures, "time", Clock())
    return paced_figures.time


def drawing(clock, drawn, what, seconds=2.0):
    def draw():
        clock.now += seconds
        drawn.append(what)

    return draw


def test_the_first_is_drawn_at_once_and_others_when_they_are_a_twentieth_of_the_time(clock):
    figures, drawn = PacedFigures(), []
    for second in range(100, 200):
        clock.now = max(clock.now, float(second))
        figures.offer("predictions", drawing(clock, drawn, second))
    assert drawn == [100, 140, 180]  # 2 seconds each: of 40


def test_the_newest_that_waits_is_drawn_at_the_end_and_once(clock):
    figures, drawn = PacedFigures(), []
    for what in ("first", "second", "third"):
        figures.offer("predictions", drawing(clock, drawn, what))
    figures.offer("other", drawing(clock, drawn, "another"))
    assert drawn == ["first"]
    figures.finish()
    figures.finish()
    assert drawn == ["first", "third", "another"]


def test_one_that_cannot_be_drawn_is_not_tried_again(clock):
    figures, drawn = PacedFigures(), []
    with pytest.raises(ZeroDivisionError):
        figures.offer("predictions", lambda: 1 / 0)
    figures.finish()
    assert drawn == []
