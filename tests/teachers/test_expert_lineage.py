"""What an expert was trained on, as far as its files tell."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from common.evaluation.best import network_settings
from common.networks import Classifier, build_encoder, save_encoder
from common.records.data_used import DataUsed
from common.records.lineage import Lineage
from common.teachers import NetworkExpert, cached_expert, load_expert
from common.teachers.embedding_table import EmbeddingTable

OPTIONS = {"patch_size": 8, "embed_dim": 24, "depth": 1, "num_heads": 2, "class_token": False, "global_pool": "avg"}
FIRST, SECOND, OWN = (DataUsed(name, "train", 30, 20) for name in ("first", "second", "own"))


@pytest.fixture(scope="module")
def encoder():
    return build_encoder("vit_tiny_patch16_224", 1, 16, options=OPTIONS).eval()


def test_an_encoder_file_tells_its_trainings_and_those_of_its_own_experts(encoder, tmp_path):
    file = tmp_path / "encoder.safetensors"
    save_encoder(encoder, file, "x", ["named"], trained_on=[OWN], experts=Lineage((), (FIRST,)))
    for path in (file, tmp_path):
        assert load_expert(path).lineage == Lineage(("named", "own", "first"), (OWN, FIRST))
    assert load_expert(save_encoder(encoder, tmp_path / "random.safetensors")).lineage == Lineage()


NOTE = {
    "trained_on": [OWN.as_dict()],
    "began_with": {
        "method": "leader",
        "corpora": ["first", "named"],
        "trained_on": [FIRST.as_dict()],
        "experts": {"corpora": ["second"], "trained_on": [SECOND.as_dict()]},
    },
}


@pytest.mark.parametrize("damage", [None, "{", "[]", '{"trained_on": 3}', '{"trained_on": [], "began_with": [1]}'])
def test_a_classifier_s_run_tells_its_training_and_what_that_began_with(encoder, tmp_path, damage):
    classifier = Classifier(encoder, 2)
    torch.save(classifier.state_dict(), tmp_path / "model.pt")
    (tmp_path / "network.json").write_text(json.dumps(network_settings(classifier)))
    assert not load_expert(tmp_path).lineage
    (tmp_path / "data.json").write_text(json.dumps(NOTE) if damage is None else damage)
    known = Lineage(("first", "named", "second", "own"), (FIRST, SECOND, OWN)) if damage is None else Lineage()
    for path in (tmp_path, tmp_path / "model.pt"):
        assert load_expert(path).lineage == known


def test_the_embeddings_that_it_is_asked_for_once_keep_it(tmp_path, monkeypatch):
    expert = NetworkExpert(nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten()), 16)
    expert.lineage = Lineage((), (OWN,))
    monkeypatch.setattr("common.teachers.expert_memory._fill", lambda *_: None)
    table = EmbeddingTable(["a.png"], torch.zeros(1, 4).numpy(), torch.zeros(1, 4).numpy(), {})
    monkeypatch.setattr("common.teachers.expert_cached.read_table", lambda _: table)
    assert cached_expert(expert, [SimpleNamespace(size=16)], tmp_path).lineage == expert.lineage
