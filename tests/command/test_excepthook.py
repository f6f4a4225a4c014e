"""What a user reads last: the file, the key and the remedy, whatever lay beneath."""

import errno
import os
import re
import socket
import types

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from torch.utils.data import DataLoader, Dataset
from toy_bundle.scripts.children import CONFIG, command_in_child, exit_code, query

from common.command.excepthook import _report, last_line
from common.command.given import Command
from common.command.known_keys import unknown_keys
from common.engines import WeightsCheckpointLoader
from common.images.decode import read_image


def last_line_of(tmp_path, *words, before=lambda: None):
    """The last line of a command that fails."""
    log = tmp_path / "log"
    assert exit_code(command_in_child(log, "--epochs", "1", *words, before=before)) == 1
    return log.read_text().rstrip().splitlines()[-1]


def test_a_full_disk_is_the_last_word_and_marks_the_run_as_failed(output_root, tmp_path):
    def fill():
        def save(content, file):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        torch.save = save

    line = last_line_of(tmp_path, "--output_root", str(output_root), before=fill)
    expected = rf"CheckpointError: could not write the checkpoint {output_root}/.*\.pt: .*No space left.*Free space or"
    assert re.match(expected, line)
    assert query(output_root, "select status from runs") == [("FAILED",)]


def test_a_full_disk_anywhere_else_has_a_remedy():
    try:
        os.write(os.open("/dev/full", os.O_WRONLY), b"x")
    except OSError as error:
        assert last_line(error).endswith("No space left on device Free space or choose another output_root; "
                                         "the same command then continues.")  # fmt: skip


@pytest.mark.parametrize("harm", ["not a database", "torn"])
def test_a_damaged_database_is_named(output_root, tmp_path, harm):
    path = output_root / "mlflow.db"
    content = path.read_bytes()
    path.write_bytes(b"x" * 5000 if harm == "not a database" else content[:4096] + b"\x00\xff" * (len(content) // 4))
    line = last_line_of(tmp_path, "--output_root", str(output_root))
    assert re.match(rf"TrackingError: MLflow at sqlite:///{path} fails: .*move it away, and a new one is made", line)


def test_a_dead_server_is_named_at_once_without_its_password(tmp_path, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:hunter2-secret@127.0.0.1:{port}")
    line = last_line_of(tmp_path, "--output_root", str(tmp_path / "runs"))
    assert re.match(
        rf"TrackingError: MLflow at http://127.0.0.1:{port} fails: no connection .*MLFLOW_TRACKING_URI", line
    )
    assert "hunter2-secret" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("harm", ["truncated", "python objects", "another network", "missing"])
def test_weights_that_cannot_be_loaded_are_named(tmp_path, harm):
    path = tmp_path / "model.pt"
    network = torch.nn.Linear(3, 2)
    torch.save(network.state_dict(), path)
    if harm == "truncated":
        path.write_bytes(path.read_bytes()[:700])
    elif harm == "python objects":
        torch.save({"x": types.SimpleNamespace()}, path)
    elif harm == "another network":
        torch.save(torch.nn.Linear(4, 2).state_dict(), path)
    elif harm == "missing":
        path.unlink()
    engine = Engine(lambda *_: None)
    WeightsCheckpointLoader(str(path), {"model": network}).attach(engine)
    with pytest.raises(Exception, match=re.escape(str(path))) as raised:
        engine.run([0])
    wrapped = RuntimeError("Failed to evaluate")
    wrapped.__cause__ = raised.value
    assert str(path) in last_line(wrapped) and "weights_only" not in last_line(wrapped)


class Pictures(Dataset):
    def __init__(self, path):
        self.path = path

    def __len__(self):
        return 1

    def __getitem__(self, index):
        try:
            return read_image(self.path)
        except Exception as error:
            raise RuntimeError(f"applying transform {self}") from error


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_picture_is_named_from_a_worker_too(tmp_path, workers):
    path = tmp_path / "a.dcm"
    path.write_bytes(b"\0" * 128 + b"DICM" + b"\x02\x00\x00\x00UL")
    with pytest.raises(RuntimeError) as raised:
        next(iter(DataLoader(Pictures(path), num_workers=workers)))
    line = last_line(raised.value)
    assert re.match(r"(common\.files\.errors\.)?UnreadableImage: ", line) and str(path) in line and "\n" not in line


def test_pytorchs_advice_is_not_passed_on(tmp_path):
    torch.save({"x": types.SimpleNamespace()}, tmp_path / "x.pt")
    with pytest.raises(Exception, match="weights_only") as raised:
        torch.load(tmp_path / "x.pt", weights_only=True)
    assert "weights_only" not in last_line(raised.value) and "state dict" in last_line(raised.value)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("batch_size", "four", "'four' is given where a number belongs, such as 4"),
        ("learning_rate", "5e", "'5e' is given where a number belongs, such as 0.01"),
        ("batch_size", [4, 8], "[4, 8] is given where a number belongs, such as 4"),
        ("epochs", True, "True is given where a number belongs, such as 3"),
        ("train#dataset#length", "all", "'all' is given where a number belongs, such as 34"),
    ],
)
def test_a_value_of_another_kind_is_refused(key, value, problem):
    assert unknown_keys(Command((str(CONFIG),), {key: value})) == [f"  --{key}: {problem}"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("batch_size", "$2 * 2"),
        ("batch_size", 8),
        ("learning_rate", 1),
        ("epochs", "@die_at"),
        ("seed", None),
        ("train#trainer#clip#max_norm", [1]),
    ],
)
def test_a_value_of_the_same_kind_passes(key, value):
    assert unknown_keys(Command((str(CONFIG),), {key: value})) == []


def test_a_librarys_error_without_a_log_is_two_lines_and_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("common.command.terminal._log", None)
    try:
        np.zeros(3).reshape(2)
    except ValueError as error:
        monkeypatch.setenv("A_PASSWORD", "hunter2-secret")
        error.args = (f"{error} hunter2-secret",)
        _report(ValueError, error, error.__traceback__)
        whole = error
    first, second = capsys.readouterr().err.splitlines()
    (kept,) = tmp_path.iterdir()
    assert first.endswith(f"whose traceback is in {kept}:") and second.startswith("ValueError: cannot reshape")
    assert "np.zeros(3).reshape(2)" in kept.read_text() and "hunter2" not in kept.read_text() + second
    monkeypatch.setattr("common.command.terminal._verbose", True)
    _report(ValueError, whole, whole.__traceback__)
    assert "np.zeros(3).reshape(2)" in capsys.readouterr().err and len(list(tmp_path.iterdir())) == 1
