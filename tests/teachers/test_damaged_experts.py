"""Experts whose file is cut off, or stands in for another: the file is named, with what to do."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from common.networks import build_encoder, save_encoder
from common.teachers import load_expert
from common.teachers.embedding_table import EmbeddingTable, write_table

OPTIONS = {"patch_size": 8, "embed_dim": 24, "depth": 1, "num_heads": 1}
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 102502400\n"
NAMES = ["encoder.safetensors", "expert.ts", "expert.onnx", "table.npz", "table.parquet", "weights.pth"]


class Flat(nn.Module):
    def forward(self, x):
        return x.flatten(1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A sound expert of every kind, as bytes by name."""
    folder = tmp_path_factory.mktemp("experts")
    encoder = build_encoder("vit_tiny_patch16_224", 1, 16, options=OPTIONS)
    save_encoder(encoder, folder / "encoder.safetensors")
    torch.save(encoder.body.state_dict(), folder / "weights.pth")
    torch.jit.trace(Flat(), torch.rand(2, 1, 16, 16)).save(str(folder / "expert.ts"))
    torch.onnx.export(Flat().eval(), (torch.rand(2, 1, 16, 16),), folder / "expert.onnx", verbose=False)
    files = np.array([f"{i}.png" for i in range(50)], dtype=object)
    table = EmbeddingTable(files, np.tile([0.0, 0.0, 1.0, 1.0], (50, 1)), np.random.rand(50, 8).astype(np.float32))
    for name in ("table.npz", "table.parquet"):
        write_table(table, folder / name)
    return {name: (folder / name).read_bytes() for name in NAMES}


@pytest.fixture
def load(tmp_path):
    def write_and_load(name, content):
        (tmp_path / name).write_bytes(content)
        known = {"architecture": "vit_tiny_patch16_224", "options": OPTIONS, "image_size": 16, "channels": 1}
        known = {"weights.pth": known, "expert.ts": {"image_size": 16}, "expert.onnx": {"image_size": 16}}.get(name, {})
        return load_expert(tmp_path / name, "disease_file", **known)

    return write_and_load


@pytest.mark.parametrize("name", NAMES)
def test_sound_files_load(load, whole, name):
    assert load(name, whole[name]).embed_dim in (8, 24, 256)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.95])
@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_was_cut_off_is_named(load, whole, name, share):
    with pytest.raises(ValueError, match=rf"{name}: .*(damaged|cut off|empty|no graph).*(again|another file)"):
        load(name, whole[name][: int(share * len(whole[name]))])


@pytest.mark.parametrize("name", NAMES)
def test_a_pointer_is_told_from_what_it_points_to(load, name):
    with pytest.raises(ValueError, match=rf"{name}: it is a Git LFS pointer.*git lfs pull"):
        load(name, POINTER)


def test_files_of_a_run_are_named(tmp_path):
    encoder = build_encoder("vit_tiny_patch16_224", 1, 16, options=OPTIONS)
    settings = {"architecture": "vit_tiny_patch16_224", "channels": 1, "image_size": 16, "mean": [0.5], "std": [0.2]}
    settings |= {"encoder_options": OPTIONS}
    weights = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    torch.save(weights, tmp_path / "model.pt")
    for text, words in (
        (json.dumps(settings)[:50], "does not say how"),
        (json.dumps({"architecture": "x"}), "does not say how"),
        (json.dumps(settings | {"architecture": "$open('trap', 'w')"}), "a config would evaluate"),
    ):
        (tmp_path / "network.json").write_text(text)
        with pytest.raises(ValueError, match=rf"network\.json.*{words}"):
            load_expert(tmp_path)
    (tmp_path / "network.json").write_text(json.dumps(settings))
    assert load_expert(tmp_path).embed_dim == 24
    for wrong, words in (
        ({**weights, "encoder.body.norm.bias": torch.full((24,), float("nan"))}, "encoder.body.norm.bias are NaN"),
        ({**weights, "encoder.body.norm.bias": torch.zeros(3)}, "another encoder"),
    ):
        torch.save(wrong, tmp_path / "model.pt")
        with pytest.raises(ValueError, match=rf"model\.pt.*{words}"):
            load_expert(tmp_path)
