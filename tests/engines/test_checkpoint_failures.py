"""What goes wrong while a checkpoint is being written: failures, signals, forks, exhausted memory."""

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
from checkpointed import Writing, at, iterations, make, names
from ignite.engine import Events
from torch.utils.data import DataLoader
from toy_bundle.scripts.children import exit_code, in_child
from toy_bundle.scripts.toy import Die, Noise

from common.engines import CheckpointError, RunEvents, checkpoint_writer
from common.engines.checkpoint_writer import CheckpointWriter
from common.files import damage


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
