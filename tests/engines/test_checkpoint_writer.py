"""Checkpoints that are written while training goes on: as safe as those that it waits for."""

import threading
import time

import pytest
import torch
from checkpointed import Evaluations, Writing, at, iterations, make, names
from ignite.engine import Events

from common.engines import NonFiniteWeights, RunEvents
from common.engines.checkpoint_writer import CheckpointWriter
from common.files import save_atomically


def test_files_are_byte_for_byte_those_of_writing_at_once(tmp_path, monkeypatch):
    """The state of a run that goes on meanwhile, best included."""
    write = CheckpointWriter.write

    def also_at_once(self, content, iteration, is_best):
        save_atomically(content, tmp_path / "at once" / self.path(iteration).name)
        if is_best:
            save_atomically(content, tmp_path / "at once" / "best.pt")
        write(self, content, iteration, is_best)

    monkeypatch.setattr(CheckpointWriter, "write", also_at_once)
    trainer, checkpoints = make(tmp_path / "a", epochs=3, every_iterations=2, keep_last=99, keep_best="dice")
    Evaluations([0.1, 0.5, 0.3], checkpoints).attach(trainer)
    trainer.run()
    assert names(tmp_path / "a") == names(tmp_path / "at once") and len(names(tmp_path / "a")) == 10
    for name in names(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "at once" / name).read_bytes(), name


def test_what_is_trained_after_a_save_does_not_reach_its_file(tmp_path, monkeypatch):
    make(tmp_path / "reference", every_iterations=2, keep_last=99)[0].run()
    writing = Writing(monkeypatch, held=[2])
    trainer, _ = make(tmp_path / "slow", every_iterations=2, keep_last=99)

    def let_go(engine):
        assert engine.state.iteration == 4 and writing.ended == []  # training went on
        writing.let_go.set()

    at(trainer, 4, let_go)
    trainer.run()
    name = "iteration-000000002.pt"
    assert (tmp_path / "slow" / name).read_bytes() == (tmp_path / "reference" / name).read_bytes()


def test_one_is_written_at_a_time_and_in_order(tmp_path, monkeypatch):
    writing = Writing(monkeypatch)
    save = writing.save
    writing.save = lambda *arguments: time.sleep(0.02) or save(*arguments)
    make(tmp_path, every_iterations=1, keep_last=3)[0].run()
    assert writing.at_once == 1 and writing.begun == writing.ended == list(range(1, 11))
    assert iterations(tmp_path) == [8, 9, 10]


def test_the_next_save_waits_for_the_one_before(tmp_path, monkeypatch):
    writing, seen = Writing(monkeypatch, held=[2]), []
    trainer, _ = make(tmp_path, every_iterations=2)
    at(trainer, 4, lambda: threading.Timer(0.3, writing.let_go.set).start())
    at(trainer, 5, lambda: seen.append(list(writing.ended)))
    trainer.run()
    assert seen[0][:1] == [2] and writing.begun == [2, 4, 5, 6, 8, 10] and iterations(tmp_path) == [6, 8, 10]


@pytest.mark.parametrize("reader", ["handler of finished", "files", "a best encoder"])
def test_who_reads_files_finds_them_written(tmp_path, monkeypatch, reader):
    writing, seen = Writing(monkeypatch), []
    save = writing.save
    writing.save = lambda *arguments: time.sleep(0.1) or save(*arguments)
    trainer, checkpoints = make(tmp_path, keep_best="dice", keep_finished=1)
    Evaluations([0.1, 0.5], checkpoints).attach(trainer)
    if reader == "handler of finished":
        trainer.add_event_handler(RunEvents.FINISHED, lambda: seen.extend(iterations(tmp_path)))
    elif reader == "files":
        at(trainer, 6, lambda: seen.extend(path.name for path in checkpoints.files()))
    else:
        checkpoints.when_best.append(lambda: seen.append(iterations(tmp_path)))
    trainer.run()
    expected = {"handler of finished": [10], "files": ["iteration-000000005.pt"], "a best encoder": [[], [5]]}
    assert seen == expected[reader]


def test_a_best_that_comes_while_the_one_before_is_written_is_named_after_it(tmp_path, monkeypatch):
    writing = Writing(monkeypatch, held=[5])
    trainer, checkpoints = make(tmp_path, epochs=3, keep_last=1, keep_best="dice")
    Evaluations([0.1, 0.5, 0.3], checkpoints).attach(trainer)
    judged = []

    def let_go(engine):
        if engine.state.iteration == 10:
            judged.append((dict(checkpoints.best), list(writing.ended)))
            writing.let_go.set()

    trainer.add_event_handler(Events.EPOCH_COMPLETED, let_go)
    trainer.run()
    assert judged == [({"value": 0.5, "iteration": 10}, [])]  # while that of iteration 5 was being written
    best = torch.load(tmp_path / "best.pt", weights_only=True)
    assert best["best"] == judged[0][0] and best["trainer"]["iteration"] == 10
    assert iterations(tmp_path) == [15]


def test_a_copy_is_given_free_when_it_is_written(tmp_path):
    writer = CheckpointWriter(tmp_path, 1)
    writer.write({"a": torch.ones(10)}, 1, False)
    writer.settle()
    assert writer._current._action is None
    writer.wait()


def test_with_a_share_an_epoch_is_passed_over_while_one_is_written(tmp_path, monkeypatch):
    writing = Writing(monkeypatch, held=[5])
    trainer, _ = make(tmp_path, epochs=4, share=0.999, keep_last=99)
    at(trainer, 12, writing.let_go.set)
    trainer.run()
    assert writing.begun[0] == 5 and 10 not in writing.begun and writing.ended[-1] == 20


def test_large_finite_weights_are_saved(tmp_path):
    """Whose squares overflow; the look at all weights in one pass is only the first."""
    trainer, checkpoints = make(tmp_path, epochs=1)

    @trainer.on(Events.EPOCH_COMPLETED)
    def enlarge():
        trainer.network.student[0].weight.data.fill_(1e30)

    trainer.run()
    assert iterations(tmp_path) == [5]
    trainer.network.student[0].weight.data[0] = float("-inf")
    with pytest.raises(NonFiniteWeights, match=r"student\.0\.weight"):
        checkpoints.save(trainer)
