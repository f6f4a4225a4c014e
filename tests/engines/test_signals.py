"""A whole process group gets a signal, as clusters and containers send it, and again, as torchrun passes it on."""

import functools
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from monai.engines import SupervisedEvaluator
from torch.utils.data import DataLoader
from toy_bundle.scripts import toy
from toy_bundle.scripts.children import CONFIG, command_in_child, exit_code, in_child, newest, query

from common.command import excepthook
from common.engines import interruptions
from common.reporting import Tracking

MOMENTS = {
    # what lingers there, in which call, and the checkpoint that must be left behind
    "data set being made": (toy.Noise, "__init__", 1, None),
    "first batch": (toy.Noise, "__getitem__", 1, None),
    "later batch": (
        toy.Noise,
        "__getitem__",
        17,
        "some",
    ),  # 8 in the validation at the start, then the third batch of a worker
    "step": (toy.Method, "forward", 2, 2),
    "validation": (toy.MeanOutput, "compute", 2, 6),
}


def linger(owner, name, call, note):
    """Let one call of a method take a while, and say when it has begun."""
    original, calls = getattr(owner, name), itertools.count(1)

    @functools.wraps(original)
    def slow(*arguments, **named):
        if next(calls) == call:
            note.touch()
            time.sleep(1.0)
        return original(*arguments, **named)

    setattr(owner, name, slow)


def await_note(note, child):
    end = time.monotonic() + 60
    while not note.exists():
        assert time.monotonic() < end and os.waitpid(child, os.WNOHANG) == (0, 0)
        time.sleep(0.02)


def kill_twice(child, number):
    os.killpg(child, number)
    time.sleep(0.15)
    os.killpg(child, number)


def is_gone(group):
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_group_that_gets_sigterm_twice_leaves_in_order(output_root, tmp_path, moment):
    *where, left = MOMENTS[moment]
    note, log = tmp_path / "note", tmp_path / "log"
    words = ("--output_root", str(output_root), "--num_workers", "2", "--epochs", "1")
    child = command_in_child(log, *words, before=lambda: linger(*where, note))
    await_note(note, child)
    kill_twice(child, signal.SIGTERM)
    assert exit_code(child) == 128 + signal.SIGTERM, log.read_text()
    text = log.read_text()
    assert "killed by signal" not in text and "could not write" not in text
    begun = moment != "data set being made"
    assert query(output_root, "select status from runs") == ([("KILLED",)] if begun else [])
    if left == "some":
        assert newest(output_root)["trainer"]["iteration"] >= 1
    elif left is not None:
        assert newest(output_root)["trainer"]["iteration"] == left
    assert exit_code(command_in_child(log, *words)) == 0
    assert query(output_root, "select status from runs") == [("FINISHED",)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.parametrize("told", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_processes_that_train_together_end_after_the_same_iteration(output_root, tmp_path, told):
    """Though only one of them gets the signal; the other would fail in the middle of a step, or wait for ever."""
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    options = {"epochs": 2, "train#dataset#length": 80, "checkpoints#every_iterations": 100, "num_workers": 1}
    words = [
        "--output_root",
        str(output_root),
        *(str(w) for key, value in options.items() for w in (f"--{key}", value)),
    ]
    logs = [tmp_path / f"log-{rank}" for rank in range(2)]

    def start(rank, slowly=False):
        def before():
            os.environ.update(shared, RANK=str(rank), LOCAL_RANK=str(rank))
            if slowly:
                linger(toy.Method, "forward", 2, tmp_path / "note")

        return command_in_child(logs[rank], *words, before=before)

    children = [start(rank, slowly=rank == told) for rank in range(2)]
    await_note(tmp_path / "note", children[told])
    os.kill(children[told], signal.SIGTERM)  # in iteration 2, of 10 in an epoch
    assert [exit_code(child) for child in children] == [128 + signal.SIGTERM] * 2, "".join(map(Path.read_text, logs))
    assert newest(output_root)["trainer"]["iteration"] == 4  # two after the note
    assert query(output_root, "select status from runs") == [("KILLED",)]
    shared["MASTER_PORT"] = free_port()
    assert [exit_code(child) for child in [start(rank) for rank in range(2)]] == [0, 0]
    assert newest(output_root)["trainer"]["iteration"] == 20


@pytest.mark.slow
def test_torchrun_passes_the_signal_of_a_group_on(output_root, tmp_path):
    """Ends with 1, whatever the reason; its processes have saved."""
    options = {"epochs": 1000, "output_root": output_root, "checkpoints#every_iterations": 100000, "num_workers": 2}
    options |= {
        "config_file": CONFIG,
        "bundle_root": CONFIG.parents[1],
        "val_interval": 1000,
        "checkpoints#every_epochs": 1000,
    }
    words = [str(w) for key, value in options.items() for w in (f"--{key}", value)]
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "monai.bundle"]
    root = CONFIG.parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'tests'}:{root}", "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    with (tmp_path / "log").open("w") as log:
        launched = subprocess.Popen(
            [*line, "run", *words], cwd=root, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    end = time.monotonic() + 170
    while not list(output_root.glob("toy/toy-seed0/checkpoints/best.pt")):  # of the validation before the first step
        assert time.monotonic() < end and launched.poll() is None, (tmp_path / "log").read_text()
        time.sleep(0.1)
    time.sleep(1)
    os.killpg(launched.pid, signal.SIGTERM)
    assert launched.wait(60) == 1 and is_gone(launched.pid)
    text = (tmp_path / "log").read_text()
    assert not any(words in text for words in ("killed by signal", "could not write", "Connection closed"))
    assert newest(output_root)["trainer"]["iteration"] > 0
    assert query(output_root, "select status from runs") == [("KILLED",)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_its_like_end_a_run_alike(output_root, tmp_path, number):
    note, log = tmp_path / "note", tmp_path / "log"
    words = ("--output_root", str(output_root), "--num_workers", "1", "--epochs", "1")
    child = command_in_child(log, *words, before=lambda: linger(toy.Method, "forward", 2, note))
    await_note(note, child)
    kill_twice(child, number)
    assert exit_code(child) == 128 + number, log.read_text()
    assert newest(output_root)["trainer"]["iteration"] == 2
    assert query(output_root, "select status from runs") == [("KILLED",)]


def test_an_evaluation_is_marked_too(output_root, tmp_path):
    def evaluate():
        os.setpgid(0, 0)
        interruptions.install()
        linger(toy.Noise, "__getitem__", 3, tmp_path / "note")
        loader = DataLoader(toy.Noise(8, 0), batch_size=2, num_workers=2)
        handlers = [Tracking("toy", "judged", output_root)]
        SupervisedEvaluator("cpu", loader, torch.nn.Linear(6, 1), decollate=False, val_handlers=handlers).run()

    child = in_child(evaluate)
    await_note(tmp_path / "note", child)
    kill_twice(child, signal.SIGTERM)
    assert exit_code(child) == 128 + signal.SIGTERM and is_gone(child)
    assert query(output_root, "select status from runs") == [("KILLED",)]


def test_a_worker_still_hears_its_parent():
    def act():
        interruptions.install()
        worker = in_child(lambda: time.sleep(30))
        time.sleep(0.2)
        pid = os.fork()
        if pid == 0:  # a stranger
            os.kill(worker, signal.SIGTERM)
            os._exit(0)
        os.waitpid(pid, 0)
        time.sleep(0.3)
        assert os.waitpid(worker, os.WNOHANG) == (0, 0)
        os.kill(worker, signal.SIGTERM)
        assert exit_code(worker) == 0

    begun = time.monotonic()
    assert exit_code(in_child(act)) == 0 and time.monotonic() - begun < 10


def test_an_ignored_signal_stays_ignored():
    def act():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        interruptions.install()
        with interruptions.Interruptions():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL

    assert exit_code(in_child(act)) == 0


@pytest.mark.parametrize("saved", [False, True])
def test_ctrl_c_leaves_with_130(capsys, monkeypatch, tmp_path, saved):
    """What can be gone on from is promised where there is a checkpoint alone."""
    monkeypatch.setattr(excepthook, "log_file", lambda: tmp_path / "train.log")
    (tmp_path / "checkpoints").mkdir()
    if saved:
        (tmp_path / "checkpoints" / "iteration-00000001.pt").touch()
    with pytest.raises(SystemExit) as end:
        excepthook._report(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert end.value.code == 130
    assert ("The same command goes on" in capsys.readouterr().err) == saved


def test_a_real_process_that_ends_between_two_runs_closes_its_run(output_root, tmp_path):
    """At the end of the interpreter what nobody has closed is closed."""
    program = (
        "import sys, pathlib; from common.reporting.store import RunStore; "
        "store = RunStore(None, pathlib.Path(sys.argv[1]), 'toy'); store.open('a', []); sys.exit(143)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(output_root)], cwd=CONFIG.parents[3])
    assert done.returncode == 143
    assert query(output_root, "select status from runs") == [("KILLED",)]
    assert not list(output_root.glob(".*.partial"))
