import json
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator
from torch import nn

from common.engines import CheckpointError
from common.evaluation.best import KeepBest


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(1, 1)
        described = SimpleNamespace(
            architecture="resnet18", options={"a": 1}, in_channels=1, image_size=64, mean=(0.5,), std=(0.2,)
        )
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
