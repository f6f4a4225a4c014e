"""Disks that are full, processes that are killed, and two in one folder."""

import errno
import os
import sys

import pytest
import torch
from checkpointed import Evaluations, make, names
from toy_bundle.scripts.children import exit_code, in_child

from common.claims import claim
from common.engines import (
    CheckpointError,
)
from common.files import damage, save_atomically


def test_full_disk_is_reported_and_loses_nothing(tmp_path, monkeypatch):
    trainer, checkpoints = make(tmp_path, every_iterations=2)
    real = torch.save

    def save(content, file):
        if content["trainer"]["iteration"] > 4:
            file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(content, file)

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(CheckpointError, match=r"could not write .*05.pt: .*No space left.*04.pt is"):
        trainer.run()
    assert names(tmp_path) == ["iteration-000000002.pt", "iteration-000000004.pt"]
    assert all(damage(path) is None for path in checkpoints.files())


def test_full_disk_as_the_kernel_reports_it(tmp_path):
    resource = pytest.importorskip("resource")
    path = save_atomically({"a": torch.zeros(1000)}, tmp_path / "a.pt")
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        with pytest.raises((OSError, RuntimeError)):
            save_atomically({"a": torch.zeros(100_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before and names(tmp_path) == ["a.pt"]


def test_two_processes_never_train_in_one_directory(tmp_path):
    def act():
        with pytest.raises(CheckpointError, match="another process is training in"):
            make(tmp_path)[0].run()

    held = claim(tmp_path / ".lock")
    assert exit_code(in_child(act)) == 0 and names(tmp_path) == []
    held.close()
    make(tmp_path)[0].run()


def test_leftovers_of_a_killed_write_are_removed_those_of_the_living_stay(tmp_path):
    dead, folder = in_child(lambda: None), tmp_path / "checkpoints"
    assert exit_code(dead) == 0
    folder.mkdir()
    for name in ("encoder_best.safetensors", "model.pt", "checkpoints/.iteration-000000009.pt"):
        for number in (dead, os.getpid(), os.getppid()):
            path = tmp_path / f"{name}.{number}.partial"
            path.with_name(f".{path.name.removeprefix('.')}").write_bytes(b"half")
    make(folder)[0].run()
    stays = f".{os.getppid()}.partial"
    assert names(folder) == [
        f".iteration-000000009.pt{stays}",
        "iteration-000000005.pt",
        "iteration-000000010.pt",
    ]
    assert names(tmp_path) == [f".encoder_best.safetensors{stays}", f".model.pt{stays}", "checkpoints"]


def kill_at_system_call(number, folder):
    """End this process before one of the calls that open, link, rename or remove a file of a folder."""
    calls = iter(range(1_000_000))

    def watch(event, arguments):
        is_call = event in ("open", "os.link", "os.rename", "os.remove", "os.mkdir")
        if is_call and str(folder) in str(arguments[0]) and next(calls) == number:
            os._exit(99)

    sys.addaudithook(watch)


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_any_system_call_the_best_is_there_after_a_resume(tmp_path, every):
    """Between the names of a checkpoint and of the best as well: the second evaluation is the best."""
    values, killed = [0.1, 0.5, 0.3], 0

    def run(folder, values):
        trainer, checkpoints = make(folder, epochs=3, images=8, keep_last=1, keep_best="dice")
        Evaluations(values, checkpoints).attach(trainer)
        trainer.run()

    for number in range(1, 200, every):
        folder = tmp_path / str(number)

        def train(number=number, folder=folder):
            kill_at_system_call(number, folder)
            run(folder, values)

        code = exit_code(in_child(train))
        if code == 0:
            break
        assert code == 99
        killed += 1
        trainer, checkpoints = make(folder, epochs=3, images=8, keep_last=1, keep_best="dice")

        class Rest:
            def __next__(self, trainer=trainer):
                return values[trainer.state.epoch - 1]

            def __iter__(self):
                return self

        Evaluations(Rest(), checkpoints).attach(trainer)
        trainer.run()
        best = torch.load(folder / "best.pt", weights_only=True)
        assert (best["trainer"]["iteration"], best["best"]) == (4, {"value": 0.5, "iteration": 4}), number
        assert names(folder)[-1] == "iteration-000000006.pt" and not list(folder.glob(".*.partial"))
    assert killed > 20 / every
