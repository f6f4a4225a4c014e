"""Checkpoints that are written while training goes on: as safe as those that it waits for."""

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from checkpointed import Evaluations, Writing, make, names
from ignite.engine import Events
from torch.utils.data import DataLoader
from toy_bundle.scripts.children import exit_code, in_child
from toy_bundle.scripts.toy import Die, Noise

from common.engines import CheckpointError, NonFiniteWeights, RunEvents, checkpoint_writer
from common.engines.checkpoint_writer import CheckpointWriter
from common.files import damage, save_atomically


def iterations(directory):
    """Of the checkpoints that are there; each must be whole."""
    files = sorted(directory.glob("iteration-*.pt"))
    assert all(damage(path) is None for path in files)
    return [torch.load(path, weights_only=True)["trainer"]["iteration"] for path in files]


def at(trainer, iteration, call):
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=iteration), call)


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


def test_a_failure_ends_the_run_in_the_next_iteration(tmp_path, monkeypatch):
    Writing(monkeypatch, failing=[4])
    trainer, checkpoints = make(tmp_path, every_iterations=2, every_epochs=9)  # the next would be that of 6
    trainer.add_event_handler(Events.ITERATION_COMPLETED, checkpoints.files)  # waits, so that it is written by then
    with pytest.raises(CheckpointError) as caught:
        trainer.run()
    text = str(caught.value)
    assert text.startswith(f"could not write the checkpoint {tmp_path}/iteration-000000004.pt: [Errno 28] No space")
    assert "The earlier checkpoint iteration-000000002.pt is untouched. Free space or choose another" in text
    assert trainer.state.iteration == 5 and isinstance(caught.value.__cause__, OSError)
    assert names(tmp_path) == ["iteration-000000002.pt"] and trainer.state.error is caught.value


@pytest.mark.parametrize("failing", [8, 10])
def test_a_failure_is_raised_at_the_end_at_the_latest(tmp_path, monkeypatch, failing):
    writing = Writing(monkeypatch, held=[failing], failing=[failing])
    trainer, _ = make(tmp_path, every_iterations=4)
    finished = []
    at(trainer, 10, writing.let_go.set)  # the last
    trainer.add_event_handler(RunEvents.FINISHED, lambda: finished.append(True))
    with pytest.raises(CheckpointError, match=rf"could not write .*0{failing}.pt: .*No space left"):
        trainer.run()
    assert finished == [] and failing not in iterations(tmp_path)


def test_other_errors_keep_their_kind(tmp_path, monkeypatch):
    def save(*_):
        raise TypeError("cannot pickle this")

    monkeypatch.setattr(checkpoint_writer, "save_atomically", save)
    with pytest.raises(TypeError, match="cannot pickle this"):
        make(tmp_path)[0].run()


def test_a_failure_while_a_run_is_being_ended_is_told_and_hides_nothing(tmp_path, monkeypatch, caplog):
    writing = Writing(monkeypatch, held=[4], failing=[4])
    trainer, _ = make(tmp_path, every_iterations=4)

    def fail():
        writing.let_go.set()
        raise ValueError("made to fail")

    at(trainer, 5, fail)
    with pytest.raises(ValueError, match="made to fail"), caplog.at_level(logging.WARNING):
        trainer.run()
    assert caplog.text.count("this failed too: could not write the checkpoint") == 1


def test_a_run_that_raises_leaves_its_last_checkpoint_whole(tmp_path, monkeypatch):
    writing = Writing(monkeypatch, held=[4])
    trainer, _ = make(tmp_path, every_iterations=4)

    def fail():
        threading.Timer(0.2, writing.let_go.set).start()
        raise ValueError("made to fail")

    at(trainer, 5, fail)
    with pytest.raises(ValueError, match="made to fail"):
        trainer.run()
    assert iterations(tmp_path) == [4] and names(tmp_path) == ["iteration-000000004.pt"]


@pytest.mark.parametrize("failing", [[], [4]])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_during_a_write_leaves_both_states(tmp_path, monkeypatch, name, failing):
    """That being written, and the one at the signal; the latter also where the former fails."""

    def act():
        writing = Writing(monkeypatch, held=[4], failing=failing)
        die = Die(6, tmp_path / "note", name)
        trainer, _ = make(tmp_path / "run", every_iterations=4, every_epochs=9, handlers=[die])
        at(trainer, 6, lambda: threading.Timer(0.3, writing.let_go.set).start())
        try:
            trainer.run()
        finally:
            os._exit(0 if writing.ended == [4, 6] and trainer.state.iteration == 6 else 1)

    assert exit_code(in_child(act)) == 0
    assert iterations(tmp_path / "run") == ([6] if failing else [4, 6])


@pytest.mark.parametrize("after", [0.0, 0.2])
def test_a_signal_while_the_end_waits_loses_nothing(tmp_path, monkeypatch, after):
    """At once, or when it waits indeed."""

    def act():
        writing = Writing(monkeypatch, held=[10])

        def signal_then_let_go():
            assert writing.has_begun.wait(60)
            time.sleep(after)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.3)
            writing.let_go.set()

        threading.Thread(target=signal_then_let_go).start()
        make(tmp_path, epochs=2, every_epochs=2)[0].run()

    assert exit_code(in_child(act)) == 128 + signal.SIGTERM
    assert iterations(tmp_path) == [10]


def test_a_process_that_ends_writes_the_file_to_its_end(tmp_path, monkeypatch):
    """Nobody waits: the interpreter does."""
    program = (
        "import sys, time, torch; from pathlib import Path; from common.engines import checkpoint_writer as w; "
        "save = w.save_atomically; w.save_atomically = lambda *a: time.sleep(0.3) or save(*a); "
        "w.CheckpointWriter(Path(sys.argv[1]), 1).write({'a': torch.ones(3)}, 7, True); sys.exit(143)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=root)
    assert done.returncode == 143 and names(tmp_path) == ["best.pt", "iteration-000000007.pt"]


def test_a_fork_during_a_write_harms_neither(tmp_path, monkeypatch):
    """As workers of a data loader are forked at the beginning of an epoch, while the one before is being saved."""
    real, half, go_on = torch.save, threading.Event(), threading.Event()

    def save(content, file):
        if file.name.startswith(f"{tmp_path}/parent"):
            file.write(b"half in Python's buffer")
            half.set()
            assert go_on.wait(60)
            file.seek(0)
        real(content, file)

    monkeypatch.setattr(torch, "save", save)
    writer = CheckpointWriter(tmp_path / "parent", 1)
    content = {"a": torch.ones(1000)}
    writer.write(content, 1, False)
    assert half.wait(60)

    def act():
        writer.wait()  # the thread is not there
        gc.collect()
        trainer, _ = make(tmp_path / "child")
        assert len(list(DataLoader(Noise(8, 0), batch_size=4, num_workers=2))) == 2
        trainer.run()
        gc.collect()

    assert exit_code(in_child(act)) == 0 and names(tmp_path / "child")
    assert [path.suffix for path in (tmp_path / "parent").iterdir()] == [".partial"]
    go_on.set()
    writer.wait()
    assert names(tmp_path / "parent") == ["iteration-000000001.pt"]
    assert damage(writer.path(1)) is None and torch.equal(torch.load(writer.path(1))["a"], content["a"])


def test_another_object_in_the_same_process_waits_before_it_goes_on(tmp_path, monkeypatch, caplog):
    """As in a notebook, where the one before was interrupted twice; its file is no leftover."""
    writing = Writing(monkeypatch, held=[2])
    earlier, _ = make(tmp_path, every_iterations=2)
    at(earlier, 3, lambda: fail())

    def fail():
        threading.Timer(0.3, writing.let_go.set).start()
        raise ValueError("made to fail")

    with monkeypatch.context() as patch, pytest.raises(ValueError, match="made to fail"):
        patch.setattr(CheckpointWriter, "wait", lambda self: None)
        earlier.run()
    assert writing.ended == []
    with caplog.at_level(logging.INFO):
        make(tmp_path, every_iterations=2)[0].run()
    assert "iteration-000000002.pt: iteration 2" in caplog.text and iterations(tmp_path) == [6, 8, 10]


def test_a_state_that_cannot_be_copied_is_written_at_once(tmp_path, monkeypatch, caplog):
    def refuse(_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    writing = Writing(monkeypatch, failing=[10])
    monkeypatch.setattr(checkpoint_writer, "snapshot", refuse)
    trainer, _ = make(tmp_path)
    at(trainer, 6, lambda: writing.begun.append("later"))
    with pytest.raises(CheckpointError, match=r"could not write .*10.pt: .*No space left"):
        trainer.run()
    assert iterations(tmp_path) == [5] and writing.begun == [5, "later", 10]
    assert "Training waits while its state is written, which cannot be copied first: Default" in caplog.text


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), KeyboardInterrupt()])
def test_a_thread_that_does_not_start_loses_nothing(tmp_path, monkeypatch, error):
    """The system allows no more, or a signal comes in between."""

    def refuse(_):
        raise error

    writer = CheckpointWriter(tmp_path, 1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        if isinstance(error, KeyboardInterrupt):
            with pytest.raises(KeyboardInterrupt):
                writer.write({"a": 1}, 1, False)
            assert names(tmp_path) == []
            writer.wait()
        else:
            writer.write({"a": 1}, 1, False)
    assert names(tmp_path) == ["iteration-000000001.pt"]


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
