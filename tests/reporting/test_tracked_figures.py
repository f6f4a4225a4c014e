"""Which of the pictures that handlers offer become artifacts of a run, and when they are drawn."""

from contextlib import nullcontext

import pytest
from ignite.engine import Events
from matplotlib.figure import Figure
from test_tracking import evaluator, trainer
from toy_bundle.scripts.children import query

from common.engines import RunEvents
from common.reporting import Tracking


@pytest.mark.parametrize("fails", [False, True])
def test_of_pictures_that_a_training_offers_the_first_and_the_newest_are_kept_with_their_steps(output_root, fails):
    tracking = Tracking("toy", "one", output_root)
    engine = trainer(tracking, epochs=4)
    drawn = []

    def draw(epoch):
        drawn.append(epoch)
        return Figure()

    def offer(engine):
        tracking.offer_figure("predictions", lambda epoch=engine.state.epoch: draw(epoch))
        if fails and engine.state.epoch == 3:
            raise ArithmeticError

    engine.add_event_handler(Events.EPOCH_COMPLETED, offer)
    engine.add_event_handler(RunEvents.ABORTED, lambda: drawn.append("checkpoint"))
    with pytest.raises(ArithmeticError) if fails else nullcontext():
        engine.run()
    last = 3 if fails else 4
    assert drawn == ([1, "checkpoint", 3] if fails else [1, 4])  # time is short where a signal ends a run
    names = sorted(path.name for path in output_root.glob("artifacts/*/artifacts/figures/*"))
    assert names == [f"predictions-{6 * epoch:09d}.png" for epoch in (1, last)]
    assert query(output_root, "select status from runs") == [("FAILED" if fails else "FINISHED",)]


def test_an_evaluation_by_itself_draws_what_is_offered_at_once(output_root):
    tracking = Tracking("toy", "judged", output_root)
    engine = evaluator(tracking)
    for name in ("worst", "best"):
        engine.add_event_handler(Events.COMPLETED, lambda _, name=name: tracking.offer_figure(name, Figure))
    engine.run()
    assert {path.name[:-14] for path in output_root.glob("artifacts/*/artifacts/figures/*")} == {"worst", "best"}
