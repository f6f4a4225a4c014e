"""Weights for an evaluation: what cannot be loaded is named by its file."""

import pytest
import torch
from ignite.engine import Engine
from torch import nn

from common.engines import CheckpointError, WeightsCheckpointLoader
from common.networks import UnreadableCheckpointError


def start(path, network):
    evaluator = Engine(lambda engine, batch: None)
    WeightsCheckpointLoader(str(path), {"model": network}).attach(evaluator)
    evaluator.run([0])
    return network


def test_loads_a_state_dict_and_names_what_it_cannot(tmp_path):
    path, network = tmp_path / "model.pt", nn.Linear(40, 30)
    torch.save(network.state_dict(), path)
    assert torch.equal(start(path, nn.Linear(40, 30)).weight, network.weight)
    with pytest.raises(CheckpointError, match=r"model\.pt does not fit.*size mismatch(?s:.*)network\.json"):
        start(path, nn.Linear(3, 3))
    for content in (
        path.read_bytes()[:900],
        path.read_bytes()[:-30],
        b"",
        b"version https://git-lfs.github.com/spec/v1",
    ):
        path.write_bytes(content)
        with pytest.raises(UnreadableCheckpointError, match=r"model\.pt: .*(again|git lfs pull)"):
            start(path, nn.Linear(40, 30))
    with pytest.raises(FileNotFoundError, match=r"none\.pt"):
        start(tmp_path / "none.pt", network)
