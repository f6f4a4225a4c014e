import errno
import logging
import os
import sys
import types
import zipfile

import pytest
import torch
from ignite.engine import Events
from monai.engines import SupervisedEvaluator
from monai.handlers import CheckpointLoader
from torch.utils.data import DataLoader
from toy_bundle.scripts.children import exit_code, in_child
from toy_bundle.scripts.toy import MeanOutput, Method, Noise

from common.engines import (
    ApplySchedules,
    CheckpointError,
    Checkpoints,
    Cosine,
    NonFiniteWeights,
    Trainer,
    method_losses,
    parameter_groups,
    whole_batch,
)
from common.files import claim, damage, save_atomically
from common.sampling import SeededSampler


def make(directory, epochs=2, images=20, handlers=(), **options):
    torch.manual_seed(0)
    network = Method()
    optimizer = torch.optim.AdamW(parameter_groups(network), lr=0.01)
    loader = DataLoader(Noise(images, 0), batch_size=4, sampler=SeededSampler(images, 0, 4))
    checkpoints = Checkpoints(directory, network, optimizer, **options)
    schedules = ApplySchedules(optimizer, Cosine(0.01, 0.001))
    all_handlers = [schedules, checkpoints, *handlers]
    trainer = Trainer(
        "cpu", epochs, loader, network, optimizer, method_losses, prepare_batch=whole_batch, train_handlers=all_handlers
    )
    return trainer, checkpoints


def names(directory):
    return sorted(path.name for path in directory.iterdir() if path.name != ".lock")


def test_last_ones_are_kept(tmp_path):
    trainer, _ = make(tmp_path, every_iterations=2, keep_last=2)
    trainer.run()
    assert names(tmp_path) == ["iteration-000000008.pt", "iteration-000000010.pt"]


def test_saved_after_whole_steps_only(tmp_path):
    trainer, _ = make(tmp_path, every_iterations=1, keep_last=99)
    trainer.accumulation_steps = 2
    trainer.run()
    assert [int(name[10:19]) for name in names(tmp_path)] == [2, 4, 5, 7, 9, 10]


class Evaluations:
    """An evaluator whose metric is given, run after each epoch."""

    def __init__(self, values, checkpoints):
        self.values, self.checkpoints = iter(values), checkpoints

    def attach(self, engine):
        loader = DataLoader(Noise(4, 1), batch_size=4)
        network = Method().student
        evaluator = SupervisedEvaluator("cpu", loader, network, decollate=False, val_handlers=[self.checkpoints])
        MeanOutput().attach(evaluator, "other")

        @evaluator.on(Events.EPOCH_COMPLETED)
        def give():
            evaluator.state.metrics["dice"] = next(self.values)

        engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run())


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


@pytest.mark.parametrize("harm", ["truncated", "empty", "flipped"])
def test_torn_file_is_skipped_with_a_message(tmp_path, harm, caplog):
    trainer, checkpoints = make(tmp_path, every_iterations=3)
    trainer.run()
    reference = {key: value.clone() for key, value in trainer.network.state_dict().items()}
    newest = checkpoints.files()[0]
    content = bytearray(newest.read_bytes())
    if harm == "flipped":
        position = content.find(trainer.network.student[0].weight.detach().numpy().tobytes())
        content[position] ^= 1
    newest.write_bytes(content if harm == "flipped" else content[: len(content) // 2 if harm == "truncated" else 0])
    again, _ = make(tmp_path, every_iterations=3)
    with caplog.at_level(logging.INFO):
        again.run()
    assert "Skipping the damaged checkpoint" in caplog.text and newest.name in caplog.text
    assert "Going on from" in caplog.text and "iteration 9" in caplog.text
    assert f"{newest.name}.torn" in names(tmp_path)
    assert all(torch.equal(reference[key], value) for key, value in again.network.state_dict().items())


def test_full_disk_is_reported_and_loses_nothing(tmp_path, monkeypatch):
    trainer, checkpoints = make(tmp_path, every_iterations=2)
    real = torch.save

    def save(content, file):
        if trainer.state.iteration > 4:
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


def test_killed_at_any_system_call_the_best_is_there_after_a_resume(tmp_path):
    """Between the names of a checkpoint and of the best as well: the second evaluation is the best."""
    values, killed = [0.1, 0.5, 0.3], 0

    def run(folder, values):
        trainer, checkpoints = make(folder, epochs=3, images=8, keep_last=1, keep_best="dice")
        Evaluations(values, checkpoints).attach(trainer)
        trainer.run()

    for number in range(1, 200):
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
    assert killed > 20


@pytest.mark.parametrize("harm", ["lost", "torn", "older"])
def test_a_best_that_is_gone_is_made_again(tmp_path, harm, caplog):
    trainer, checkpoints = make(tmp_path, epochs=3, keep_last=1, keep_best="dice")
    Evaluations([0.3, 0.5, 0.1], checkpoints).attach(trainer)
    if harm == "older":
        trainer.add_event_handler(
            Events.EPOCH_COMPLETED(once=2), lambda: os.link(tmp_path / "best.pt", tmp_path / "old")
        )
    trainer.run()
    best = tmp_path / "best.pt"
    best.unlink()
    if harm == "torn":
        best.write_bytes(b"PK")
    if harm == "older":
        (tmp_path / "old").rename(best)
    again, checkpoints = make(tmp_path, epochs=4, keep_last=1, keep_best="dice")
    Evaluations([0.2], checkpoints).attach(again)
    with caplog.at_level(logging.WARNING):
        again.run()
    assert "The best weights so far, those of iteration 10, are lost" in caplog.text
    # the value that is still backed by weights counts, and without any the next evaluation
    expected = {"value": 0.3, "iteration": 5} if harm == "older" else {"value": 0.2, "iteration": 20}
    assert torch.load(best, weights_only=True)["best"] == expected == checkpoints.best


def test_without_links_the_best_is_a_copy(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    trainer, checkpoints = make(tmp_path, keep_best="dice")
    Evaluations([0.1, 0.5], checkpoints).attach(trainer)
    trainer.run()
    assert torch.load(tmp_path / "best.pt", weights_only=True)["trainer"]["iteration"] == 10


def harmed(path, harm):
    """A newest checkpoint that cannot be gone on from, in one of the ways that happen."""
    content = torch.load(path, weights_only=True)
    data = path.read_bytes()
    directory = data.rfind(b"PK\x01\x02")  # of the last entry in the table of contents
    if harm == "directory":
        path.write_bytes(data[:directory] + b"\xff" * 20 + data[directory + 20 :])
    elif harm == "name in the directory":
        path.write_bytes(data.replace(b"data.pkl", b"\xff\xfe\xfd\xfcpkl!"))
    elif harm == "encrypted":
        path.write_bytes(data[: directory + 8] + b"\x01\x00" + data[directory + 10 :])
    elif harm == "another zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("notes.txt", "hello")
    elif harm == "python objects":
        torch.save({**content, "extra": {"x": types.SimpleNamespace()}}, path)
    elif harm == "foreign":
        torch.save({"state_dict": content["network"]}, path)
    elif harm == "list":
        torch.save([1, 2], path)
    elif harm == "foreign names":
        torch.save({**content, "network": {f"module.{name}": t for name, t in content["network"].items()}}, path)
    elif harm == "shapes":
        content["network"]["student.0.weight"] = torch.zeros(16, 7)
        torch.save(content, path)
    elif harm == "shape of a moment":
        content["optimizer"]["state"][0]["exp_avg"] = torch.zeros(3)
        torch.save(content, path)
    elif harm == "nan":
        content["network"]["student.0.weight"][0, 0] = float("nan")
        torch.save(content, path)
    elif harm == "nan moment":
        content["optimizer"]["state"][0]["exp_avg_sq"][0] = float("nan")
        torch.save(content, path)
    elif harm == "no counters":
        torch.save({**content, "trainer": {}}, path)


HARMS = "directory,name in the directory,encrypted,another zip,python objects,foreign,list,foreign names,shapes"
HARMS += ",shape of a moment,nan,nan moment,no counters"


@pytest.mark.parametrize("harm", HARMS.split(","))
def test_the_newest_checkpoint_that_can_be_gone_on_from_is(tmp_path, harm, caplog):
    trainer, checkpoints = make(tmp_path)
    trainer.run()
    reference = {key: value.clone() for key, value in trainer.network.state_dict().items()}
    newest = checkpoints.files()[0]
    harmed(newest, harm)
    again, _ = make(tmp_path)
    with caplog.at_level(logging.INFO):
        again.run()
    assert f"Skipping the damaged checkpoint {newest}" in caplog.text and "weights_only=False" not in caplog.text
    assert "iteration-000000005.pt: iteration 5" in caplog.text and f"{newest.name}.torn" in names(tmp_path)
    assert all(torch.equal(reference[key], value) for key, value in again.network.state_dict().items())


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
