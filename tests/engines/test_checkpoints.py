"""Which checkpoints are kept, which runs they fit, and who reads them."""

import errno
import os
import threading

import pytest
import torch
from checkpointed import Evaluations, make, names
from ignite.engine import Events
from monai.engines import SupervisedEvaluator
from monai.handlers import CheckpointLoader
from torch.utils.data import DataLoader
from toy_bundle.scripts.toy import Method, Noise

from common.engines import CheckpointError, NonFiniteWeights, checkpoint_writer


def test_last_ones_are_kept(tmp_path):
    trainer, _ = make(tmp_path, every_iterations=2, keep_last=2)
    trainer.run()
    assert names(tmp_path) == ["iteration-000000008.pt", "iteration-000000010.pt"]


def test_a_finished_run_keeps_fewer(tmp_path):
    trainer, _ = make(tmp_path, every_iterations=2, keep_finished=1)
    trainer.run()
    assert names(tmp_path) == ["iteration-000000010.pt"]


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr("common.engines.checkpoints.time.monotonic", lambda: self.now)

    def pass_by(self, seconds):
        self.now += seconds


EVERY_OTHER_EPOCH_AND_THE_LAST = [1, 3, 5, 7, 9, 10]


def test_short_epochs_are_saved_as_often_as_a_share_of_the_time_allows(tmp_path, monkeypatch):
    clock, copy = Clock(monkeypatch), checkpoint_writer.snapshot
    monkeypatch.setattr(checkpoint_writer, "snapshot", lambda content: clock.pass_by(2) or copy(content))
    trainer, checkpoints = make(tmp_path, epochs=10, share=0.25, keep_last=99)

    @trainer.on(Events.EPOCH_STARTED)
    def go_by():  # copying takes 2: 6 must lie between
        checkpoints.wait()  # so that writing takes nothing, however busy the machine is
        clock.pass_by(3)

    trainer.run()
    assert [int(name[10:19]) // 5 for name in names(tmp_path)] == EVERY_OTHER_EPOCH_AND_THE_LAST


def test_files_are_being_written_for_twice_that_share(tmp_path, monkeypatch):
    clock, save, training = Clock(monkeypatch), checkpoint_writer.save_atomically, threading.Event()

    def slowly(content, path):
        assert training.wait(60)  # so that training itself loses nothing
        clock.pass_by(2)
        save(content, path)

    monkeypatch.setattr(checkpoint_writer, "save_atomically", slowly)
    trainer, checkpoints = make(tmp_path, epochs=10, share=0.125, keep_last=99)
    trainer.add_event_handler(Events.ITERATION_STARTED, training.set)

    @trainer.on(Events.EPOCH_STARTED)
    def go_by():  # writing takes 2: 6 must lie between
        checkpoints.wait()
        training.clear()
        clock.pass_by(3)

    trainer.run()
    assert [int(name[10:19]) // 5 for name in names(tmp_path)] == EVERY_OTHER_EPOCH_AND_THE_LAST


@pytest.mark.parametrize("share", [0, 1, -0.1])
def test_a_share_of_the_time_that_is_none_is_refused(tmp_path, share):
    with pytest.raises(ValueError, match=rf"checkpoints#share is {share}; it must be above 0 and below 1"):
        make(tmp_path, share=share)


def test_saved_after_whole_steps_only(tmp_path):
    trainer, _ = make(tmp_path, every_iterations=1, keep_last=99)
    trainer.accumulation_steps = 2
    trainer.run()
    assert [int(name[10:19]) for name in names(tmp_path)] == [2, 4, 5, 7, 9, 10]


@pytest.mark.parametrize(("best_is", "iteration"), [("max", 10), ("min", 5)])
def test_best_is_kept_beside_the_last(tmp_path, best_is, iteration):
    trainer, checkpoints = make(tmp_path, epochs=4, keep_last=1, keep_best="dice", best_is=best_is)
    Evaluations([0.1, 0.5, float("nan"), 0.3], checkpoints).attach(trainer)
    trainer.run()
    assert names(tmp_path) == ["best.pt", "iteration-000000020.pt"]
    best = torch.load(tmp_path / "best.pt", weights_only=True)
    assert best["trainer"]["iteration"] == iteration == best["best"]["iteration"]


def test_best_of_a_metric_nobody_computes_is_refused(tmp_path):
    trainer, checkpoints = make(tmp_path, keep_best="dicee")
    Evaluations([0.1], checkpoints).attach(trainer)
    with pytest.raises(CheckpointError, match="keep_best is 'dicee'; the evaluator's metrics are: dice, other"):
        trainer.run()


def test_without_links_the_best_is_a_copy(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    trainer, checkpoints = make(tmp_path, keep_best="dice")
    Evaluations([0.1, 0.5], checkpoints).attach(trainer)
    trainer.run()
    assert torch.load(tmp_path / "best.pt", weights_only=True)["trainer"]["iteration"] == 10


def test_a_folder_that_takes_no_files_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match=r"cannot write to .*file/checkpoints: .*Choose another output_root"):
        make(tmp_path / "file" / "checkpoints")[0].run()


def test_spoilt_weights_are_not_saved(tmp_path):
    trainer, _ = make(tmp_path)

    @trainer.on(Events.EPOCH_COMPLETED(once=2))
    def spoil():
        trainer.network.student[0].bias.data[0] = float("nan")

    with pytest.raises(NonFiniteWeights, match=r"weights of student\.0\.bias are not finite"):
        trainer.run()
    assert names(tmp_path) == ["iteration-000000005.pt"]


def test_checkpoint_of_another_run_is_refused(tmp_path):
    make(tmp_path)[0].run()
    with pytest.raises(CheckpointError, match="made with 5 iterations per epoch, this run has 6: the data, the batch"):
        make(tmp_path, images=24)[0].run()


def test_checkpoint_of_another_network_is_refused(tmp_path):
    make(tmp_path)[0].run()
    trainer, checkpoints = make(tmp_path)
    checkpoints.network = torch.nn.Linear(2, 2)
    with pytest.raises(CheckpointError, match="does not fit this run's network or optimiser"):
        trainer.run()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_epochs": 0}, "checkpoints#every_epochs is 0"),
        ({"keep_last": 0}, "checkpoints#keep_last is 0"),
        ({"every_iterations": 0}, "checkpoints#every_iterations is 0"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        make(tmp_path, **options)


def test_monais_loader_reads_the_file(tmp_path):
    trainer, checkpoints = make(tmp_path)
    trainer.run()
    network = Method()
    evaluator = SupervisedEvaluator("cpu", DataLoader(Noise(4, 1), batch_size=4), network.student, decollate=False)
    CheckpointLoader(str(checkpoints.files()[0]), {"network": network}).attach(evaluator)
    evaluator.run()
    assert all(
        torch.equal(a, b)
        for a, b in zip(network.state_dict().values(), trainer.network.state_dict().values(), strict=True)
    )
