"""When a training ends for want of progress, and that a resumed one counts on."""

import pytest
import torch
from ignite.engine import Events
from monai.engines import SupervisedEvaluator, SupervisedTrainer

from common.evaluation import StopEarly

LOSSES = [5.0, 4.0, 3.0, 3.5, 3.0, 3.2, 2.0, 1.0]  # from before the first epoch on


def train(stop: StopEarly, first: int = 0, losses=LOSSES, epochs: int = 7, interval: int = 1) -> int:
    """Epochs done when a trainer that validates after every `interval` of them ends."""
    network = torch.nn.Linear(1, 1)
    device, data = torch.device("cpu"), [{"image": torch.zeros(1, 1), "label": torch.zeros(1, 1)}]
    evaluator = SupervisedEvaluator(device, data, network, decollate=False)
    trainer = SupervisedTrainer(
        device, epochs, data, network, torch.optim.SGD(network.parameters(), 0.0), torch.nn.MSELoss(), decollate=False
    )

    def score(engine):
        engine.state.metrics["validation_loss"] = losses[engine.state.epoch]

    def validate(engine):
        evaluator.run(engine.state.epoch)

    evaluator.add_event_handler(Events.EPOCH_COMPLETED, score)
    stop.attach(evaluator)
    if first == 0:
        trainer.add_event_handler(Events.STARTED, lambda engine: stop_at_start(engine, evaluator, stop, losses))
    trainer.add_event_handler(Events.EPOCH_COMPLETED(every=interval), validate)
    stop.attach(trainer)
    trainer.state.epoch = first
    trainer.state.iteration = first
    trainer.run()
    return trainer.state.epoch


def stop_at_start(trainer, evaluator, stop, losses):
    """MONAI's `exec_at_start`: an evaluation before the first epoch."""
    evaluator.state.epoch, evaluator.state.metrics["validation_loss"] = 0, losses[0]
    stop._judge(evaluator)


def test_ends_after_so_many_epochs_without_a_lower_value():
    stop = StopEarly("validation_loss", patience=3)
    assert train(stop) == 5  # best in epoch 2, equal in 4 is no better
    assert stop.state_dict() == {"epoch": 2, "value": 3.0, "latest": 5, "waited": 3}


def test_trains_on_while_it_gets_better_and_without_patience():
    assert train(StopEarly("validation_loss", patience=4)) == 7
    assert train(StopEarly("validation_loss", patience=None)) == 7


def test_a_run_that_never_beats_its_start_ends_too():
    assert train(StopEarly("validation_loss", patience=2), losses=[1.0] + [2.0] * 7) == 2


def test_counts_on_after_a_resume_and_a_stopped_run_stays_stopped():
    before = StopEarly("validation_loss", patience=3)
    train(before, epochs=4)
    after = StopEarly("validation_loss", patience=3)
    after.load_state_dict(before.state_dict())
    assert train(after, first=4) == 5
    again = StopEarly("validation_loss", patience=3)
    again.load_state_dict(after.state_dict())
    seen = []
    assert train(again, first=5, losses=seen) == 5  # no evaluation either: it would find no value


def test_the_largest_can_be_the_best_and_an_undefined_value_counts_as_no_progress():
    stop = StopEarly("validation_loss", patience=2, best_is="max")
    assert train(stop, losses=[0.1, 0.2, 0.3, float("nan"), 0.1, 0.9, 0.9, 0.9]) == 4
    assert stop.epoch == 2


def test_epochs_that_nobody_judged_do_not_count():
    stop = StopEarly("validation_loss", patience=2)
    assert train(stop, losses=[1.0] + [2.0] * 7, interval=3) == 6  # judged in vain in epochs 3 and 6
    assert train(StopEarly("validation_loss", patience=2), interval=100) == 7


def test_an_epoch_judged_again_after_a_resume_counts_once():
    stop = StopEarly("validation_loss", patience=2)
    train(stop, losses=[1.0, 2.0], epochs=1)
    assert stop.waited == 1
    evaluated_again = type("Engine", (), {})()
    evaluated_again.state = type("State", (), {"metrics": {"validation_loss": 2.0}, "epoch": 1})()
    stop._judge(evaluated_again)
    assert stop.waited == 1


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="`patience` is 0"):
        StopEarly("validation_loss", patience=0)
    with pytest.raises(KeyError, match="validation_los'"):
        train(StopEarly("validation_los", patience=1))
