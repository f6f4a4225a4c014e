"""scripts/cache_embeddings.py: which words it takes, and what it writes or refuses to write."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from script_main import script_main

from common.images import PatchRule, RegionSource, StoreRegions, open_store
from common.networks import build_encoder
from common.phantom import write_phantom
from common.readers import read
from common.teachers import load_expert
from common.teachers.embedding_table import read_table
from common.views import AugmentedCrop


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom(folder, count=6, size=64, seed=0, workers=1)
    return folder


@pytest.fixture
def command(phantom, tmp_path):
    """Runs the command; returns its exit status."""
    main = script_main("cache_embeddings")

    def run(*words, dataset=("chestxray14", str(phantom))):
        expert, out, *flags = words
        given = [*([] if expert is None else [str(expert)]), *dataset, str(out), *map(str, flags)]
        given += ["--stores", str(tmp_path / "stores"), "--store-size", "64"]
        try:
            return main(given)
        except SystemExit as ended:  # of the parser
            return ended.code

    return run


def test_a_table_is_no_expert_to_ask(command, tmp_path, capsys):
    np.savez(tmp_path / "table.npz", source=np.array(["a.png"]), embedding=np.ones((1, 3)))
    assert command(tmp_path / "table.npz", tmp_path / "out.npz") == 2
    said = capsys.readouterr()
    assert "table.npz" in said.err and "embeddings already" in said.err and not said.out
    assert not (tmp_path / "out.npz").exists()


OPTIONS = {"patch_size": 8, "embed_dim": 24, "depth": 1, "num_heads": 2}
FLAGS = ["--architecture", "vit_tiny_patch16_224", "--image-size", 16, "--channels", 1]
FLAGS += [word for item in OPTIONS.items() for word in ("--architecture-option", "{}={}".format(*item))]


def test_weights_of_foreign_names_come_in_by_a_key_map(command, tmp_path, capsys):
    """Two encoders in one file, with names of their own, as an author might publish them."""
    torch.manual_seed(0)
    encoders = {part: build_encoder("vit_tiny_patch16_224", 1, 16, options=OPTIONS) for part in ("teacher", "student")}
    content = {
        part: {f"trunk.{name}".replace("weight", "gamma"): value for name, value in encoder.body.state_dict().items()}
        for part, encoder in encoders.items()
    }
    torch.save(content, tmp_path / "theirs.pth")
    mapped = ["--key-map", "^(?=trunk)trunk[.]=", "--key-map", "gamma$=weight"]
    for part, encoder in encoders.items():
        out = tmp_path / f"{part}.npz"
        assert command(tmp_path / "theirs.pth", out, *FLAGS, *mapped, "--part", part) == 0
        encoder.eval()
        key_map = {"^(?=trunk)trunk[.]": "", "gamma$": "weight"}
        known = {"architecture": "vit_tiny_patch16_224", "image_size": 16, "channels": 1, "options": OPTIONS}
        expert = load_expert(tmp_path / "theirs.pth", part=part, key_map=key_map, **known)
        images = torch.rand(2, 1, 16, 16)
        torch.testing.assert_close(expert.embed(images, {}), encoder.embed(images).detach())
        assert read_table(out).about["expert"] == expert.fingerprint
    one, two = (read_table(tmp_path / f"{part}.npz").embeddings for part in encoders)
    assert one.shape == two.shape == (6, 24) and not np.allclose(one, two)
    assert command(tmp_path / "theirs.pth", tmp_path / "no.npz", *FLAGS, "--key-map", "trunk") == 2
    assert "'trunk' is not OLD=NEW" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("absolute", [True, False])
def test_the_list_of_a_patch_rule_with_embeddings_added_is_an_expert(command, phantom, tmp_path, suffix, absolute):
    """As for an expert that runs elsewhere: what is listed here is embedded there."""
    rule = ["--boxes", "--anywhere", 2, "--patch-seed", 3]
    listed = tmp_path / f"items{suffix}"
    assert command(None, listed, "--list", *rule, *(["--absolute"] if absolute else [])) == 0
    items = pd.read_csv(listed) if suffix == ".csv" else pd.read_parquet(listed)
    items["embedding"] = [[float(number), 1.0] for number in range(len(items))]
    items.to_parquet(tmp_path / "embeddings.parquet")

    store = open_store(read("chestxray14", phantom), tmp_path / "stores", 64, progress=False)
    source = RegionSource(store, patches=PatchRule(True, anywhere=2, seed=3))
    dataset = StoreRegions([source], AugmentedCrop(16, area=None), seed=0)
    expert = load_expert(tmp_path / "embeddings.parquet")
    expert.check(dataset.keys())
    assert len(items) == len(dataset) > 3 * len(store)
    batch = torch.utils.data.default_collate([dataset[index] for index in range(len(dataset))])
    order = expert.embed(batch["image"], batch)[:, 0].int().tolist()
    named = [items["source"][row] for row in order]
    assert all(file.endswith(name) for file, name in zip(batch["source"], named, strict=True))
    edges = items.loc[order, ["top", "left", "bottom", "right"]].to_numpy()
    np.testing.assert_allclose(edges, batch["patch"].numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("words", "says"),
    [((None, "out.csv"), "either an expert or --list"), (("expert.onnx", "out.csv", "--list"), "either an expert or")],
)
def test_a_list_needs_no_expert_and_embeddings_do(command, tmp_path, capsys, words, says):
    expert, out, *flags = words
    assert command(expert, tmp_path / out, *flags) == 2
    assert says in capsys.readouterr().err


def test_a_list_of_another_kind_is_refused(command, tmp_path, capsys):
    assert command(None, tmp_path / "out.npz", "--list") == 2
    assert ".csv or .parquet" in capsys.readouterr().err
