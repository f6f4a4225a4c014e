import json
import logging
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator
from torch import nn
from torch.utils.data import DataLoader

from common.engines import CheckpointError, Trainer
from common.evaluation.best import KeepBest
from common.networks.description import EncoderDescription


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(1, 1)
        described = EncoderDescription("resnet18", in_channels=1, image_size=64, method="cxr_ace", corpora=("nih",))
        self.encoder = nn.Identity()
        self.encoder.description = described


def train(directory, values, epochs=None, patience=None, start=0, state=None):
    """Run an engine whose network holds the number of its epoch and whose validation gives `values`, epoch by epoch."""
    network = Network()
    keep = KeepBest(network, str(directory), settings={"decoder": "unet"}, patience=patience)
    if state:
        keep.load_state_dict(state)
    evaluator = Evaluator("cpu", [0], iteration_update=lambda e, b: {})
    evaluator.state.key_metric_name = "dice"
    evaluator.add_event_handler(Events.COMPLETED, lambda e: e.state.metrics.update(dice=values[e.state.epoch - 1]))
    keep.attach(evaluator)
    trainer = Engine(lambda e, b: nn.init.constant_(network.head.weight, e.state.epoch))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda e: evaluator.run(e.state.epoch))
    keep.attach(trainer)
    trainer.load_state_dict({"epoch": start, "max_epochs": epochs or len(values), "epoch_length": 1})
    trainer.run([0])
    return trainer.state.epoch, keep.state_dict()


def kept(directory):
    entry = json.loads((directory / "best.json").read_text())
    return entry["epoch"], torch.load(directory / "model.pt")["head.weight"].item()


def test_keeps_the_best_not_the_last(tmp_path):
    train(tmp_path, [0.2, float("nan"), 0.5, 0.4])
    assert kept(tmp_path) == (3, 3)
    overlay = json.loads((tmp_path / "network.json").read_text())
    assert json.loads((tmp_path / "best.json").read_text())["began_with"] == {"method": "cxr_ace", "corpora": ["nih"]}
    assert overlay["architecture"] == "resnet18" and overlay["decoder"] == "unet" and overlay["encoder_file"] is None
    assert {path.name for path in tmp_path.iterdir()} == {"best.json", "model.pt", "network.json"}  # no partial file


def test_stops_after_patience_and_stays_stopped(tmp_path):
    values = [0.1, 0.5, 0.4, 0.3, 0.2, 0.9]
    epoch, state = train(tmp_path, values, patience=2)
    assert epoch == 4 and train(tmp_path, values, patience=2, start=4, state=state)[0] == 4
    assert kept(tmp_path) == (2, 2)


def test_resume_remembers_the_best(tmp_path):
    _, state = train(tmp_path, [0.1, 0.5])
    train(tmp_path, [0, 0, 0.4], start=2, state=state)
    assert kept(tmp_path) == (2, 2)
    train(tmp_path, [0.3])  # a new run in the same folder starts from nothing
    assert kept(tmp_path) == (1, 1)


def test_an_undefined_metric_keeps_the_last_weights(tmp_path, caplog):
    train(tmp_path, [float("nan")] * 2)
    assert kept(tmp_path) == (2, 2) and "never defined" in caplog.text


def test_patience_is_checked(tmp_path):
    with pytest.raises(ValueError, match="`patience` is 0"):
        KeepBest(Network(), str(tmp_path), patience=0)


def test_a_full_disk_is_said_and_leaves_the_earlier_weights(tmp_path, monkeypatch):
    train(tmp_path, [0.2])

    def full(content, file):
        file.write(b"half of")
        raise RuntimeError("unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match=r"could not write the best weights .* output_root"):
        train(tmp_path, [0.2, 0.3])
    assert kept(tmp_path) == (1, 1) and len(list(tmp_path.iterdir())) == 3


def harmed(folder, harm):
    """Something happened to what a run left of its best weights."""
    model, network, best = (folder / name for name in ("model.pt", "network.json", "best.json"))
    if harm == "no model":
        model.unlink()
    elif harm == "cut model":
        model.write_bytes(model.read_bytes()[:-40])
    elif harm == "another model":
        torch.save({"head.weight": torch.zeros(1, 1)}, model)
    elif harm == "no network":
        network.unlink()
    elif harm == "another network":
        network.write_text(network.read_text().replace("resnet18", "resnet50"))
    elif harm == "cut note":
        best.write_text(best.read_text()[:20])
    elif harm == "cut model, old note":
        note = json.loads(best.read_text())
        best.write_text(json.dumps({name: note[name] for name in ("metric", "value", "epoch")}))
        model.write_bytes(model.read_bytes()[:-40])
    elif harm == "older":
        train(folder, [0.3])


HARMS = ["no model", "cut model", "another model", "no network", "another network", "cut note", "cut model, old note"]


@pytest.mark.parametrize("harm", [*HARMS, "older"])
def test_best_weights_that_are_lost_are_said_and_the_next_evaluation_counts(tmp_path, harm, caplog):
    _, state = train(tmp_path, [0.1, 0.9], patience=1)
    harmed(tmp_path, harm)
    with caplog.at_level(logging.WARNING):
        _, state = train(tmp_path, [0, 0, 0.4, 0.2], start=2, state=state)
    assert "those of epoch 2, are lost" in caplog.text and str(tmp_path) in caplog.text
    assert kept(tmp_path) == (3, 3) and (state["epoch"], state["value"]) == (3, 0.4)


def test_lost_weights_after_which_nothing_is_defined_give_way_to_the_last(tmp_path):
    _, state = train(tmp_path, [0.9])
    (tmp_path / "model.pt").unlink()
    train(tmp_path, [0, float("nan")], start=1, state=state)
    assert kept(tmp_path) == (2, 2) and json.loads((tmp_path / "best.json").read_text())["metric"] is None


def test_a_note_of_an_older_run_is_believed(tmp_path, caplog):
    _, state = train(tmp_path, [0.9])
    note = json.loads((tmp_path / "best.json").read_text())
    (tmp_path / "best.json").write_text(json.dumps({name: note[name] for name in ("metric", "value", "epoch")}))
    train(tmp_path, [0, 0.4], start=1, state=state)
    assert kept(tmp_path) == (1, 1) and "lost" not in caplog.text


def test_a_run_killed_before_its_checkpoint_goes_on_as_if_it_were_not(tmp_path, caplog):
    _, state = train(tmp_path, [0.1])
    train(tmp_path, [0, 0.5], start=1, state=state)  # killed here: the checkpoint still says epoch 1
    train(tmp_path, [0, 0.5, 0.3], start=1, state=state)
    assert kept(tmp_path) == (2, 2) and "lost" not in caplog.text


@pytest.mark.parametrize("written", [0, 1, 2])
def test_weights_and_their_settings_are_new_together(tmp_path, monkeypatch, written, caplog):
    _, state = train(tmp_path, [0.2])
    rename, count = Path.replace, []

    def killed(path, target):
        if path.name.startswith(".") and Path(target).suffix != ".partial":
            count.append(path)
            if len(count) > written:
                raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, [0, 0.3], start=1, state=state)
    monkeypatch.undo()
    assert len(list(tmp_path.iterdir())) == 3
    train(tmp_path, [0, 0.1], start=1, state=state)
    # nothing was renamed: the first weights are the best; otherwise none can be told to be
    assert kept(tmp_path) == ((2, 2) if written else (1, 1))
    assert ("are lost" in caplog.text) == bool(written)


@pytest.mark.parametrize("failing", ["network.json", "best.json"])
def test_a_disk_that_fills_up_in_between_leaves_the_earlier_files(tmp_path, monkeypatch, failing):
    train(tmp_path, [0.2])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write = Path.write_text

    def full(path, text, *arguments, **named):
        if failing in path.name:
            write(path, text[:5])
            raise OSError(28, "No space left on device")
        return write(path, text, *arguments, **named)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(CheckpointError, match=r"could not write the best weights .* output_root"):
        train(tmp_path, [0.2, 0.3])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_finished_run_says_that_its_best_weights_are_gone(tmp_path, caplog):
    network = Network()
    keep = KeepBest(network, str(tmp_path))
    keep.epoch, keep.value = 1, 0.5
    keep._improved("dice")
    (tmp_path / "network.json").unlink()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    trainer = Trainer("cpu", 1, DataLoader([0]), network, optimizer, torch.nn.MSELoss(), train_handlers=[keep])
    trainer.state.epoch = trainer.state.iteration = 1
    trainer.run()
    assert "those of epoch 1, are lost" in caplog.text and str(tmp_path / "network.json") in caplog.text
    assert {path.name for path in tmp_path.iterdir()} == {"model.pt", "best.json"}  # a copy may be put back
