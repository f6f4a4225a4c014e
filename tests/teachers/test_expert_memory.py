"""An expert asked once: what it is asked about, what is kept, and how a killed process goes on."""

import os
import signal
import textwrap
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from common.images import PatchRule, RegionSource, StoreRegions, open_store
from common.networks import save_encoder
from common.phantom import write_phantom
from common.readers import read
from common.teachers import CachedExpert, NetworkExpert, cached_expert, expert_memory, seeded_expert
from common.teachers.embedding_table import read_table
from common.views import AugmentedCrop, crop_resize

ROOT = Path(__file__).parents[2]
OPTIONS = {"patch_size": 8, "embed_dim": 24, "depth": 1, "num_heads": 2, "class_token": False, "global_pool": "avg"}
SIZE = 16


class Counted(nn.Module):
    """Mean and variance of an image, and how many images it was asked about."""

    asked = 0

    def forward(self, images):
        self.asked += len(images)
        return torch.stack([images.mean((1, 2, 3)), images.var((1, 2, 3))], dim=1)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom(folder, count=6, size=64, seed=0, workers=1)
    return folder


@pytest.fixture(scope="module")
def dataset(phantom, tmp_path_factory):
    store = open_store(read("chestxray14", phantom), tmp_path_factory.mktemp("stores"), 64, progress=False)
    source = RegionSource(store, patches=PatchRule(anywhere=1))
    return StoreRegions([source], AugmentedCrop(SIZE, flip=1.0), seed=0)


def counted(weights: str = "counted") -> NetworkExpert:
    expert = NetworkExpert(Counted(), SIZE, weights=weights)
    expert.network.asked = 0
    return expert


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_it_is_asked_about_every_item_without_augmentation(dataset, tmp_path, suffix):
    expert = counted()
    cached = cached_expert(expert, [dataset], tmp_path / f"cache{suffix}", batch_size=4)
    batch = torch.utils.data.default_collate([dataset[index] for index in range(len(dataset))])
    boxes = batch["patch"].float() * 64
    expected = Counted()(crop_resize(batch["image"], boxes, SIZE))
    assert expert.network.asked == len(dataset)
    torch.testing.assert_close(cached.embed(batch["image"], batch), expected)
    cached.check(dataset.keys())


def test_it_is_asked_once(dataset, tmp_path):
    first, second = counted(), counted()
    path = tmp_path / "cache.npz"
    told = [cached_expert(expert, [dataset, dataset], path) for expert in (first, second)]
    assert (first.network.asked, second.network.asked) == (len(dataset), 0)
    assert [file.name for file in tmp_path.glob("[!.]*")] == ["cache.npz"]
    assert cached_expert(told[0], [dataset], path) is told[0]


def test_only_what_is_missing_is_asked_about(dataset, tmp_path):
    source = dataset.sources[0]
    fewer = StoreRegions([RegionSource(source.store.subset(limit=2), patches=PatchRule(anywhere=1))], dataset.view, 0)
    cached_expert(counted(), [fewer], tmp_path / "cache.npz")
    expert = counted()
    cached = cached_expert(expert, [dataset], tmp_path / "cache.npz")
    assert expert.network.asked == len(dataset) - len(fewer)
    cached.check(dataset.keys())


def test_a_folder_holds_one_file_per_expert_and_size(dataset, tmp_path):
    for name in ("one", "two", "one"):
        cached_expert(counted(name), [dataset], tmp_path)
    expected = {f"{counted(name).fingerprint}-16px-of-64px.npz" for name in ("one", "two")}
    assert {path.name for path in tmp_path.glob("[!.]*")} == expected


def test_names_may_be_relative_to_a_folder(dataset, phantom, tmp_path):
    names = {os.path.relpath(record.image, phantom) for record in dataset.corpus.records}
    cached_expert(counted(), [dataset], tmp_path / "cache.npz", root=phantom).check(dataset.keys())
    assert set(read_table(tmp_path / "cache.npz").files) == names
    again = counted()
    cached_expert(again, [dataset], tmp_path / "cache.npz", root=phantom)
    assert again.network.asked == 0


@pytest.fixture(scope="module")
def alike(tmp_path_factory):
    """Three images of one name, in a folder, below it and in another one; each a data set of its own."""
    base = tmp_path_factory.mktemp("alike")
    datasets = {}
    for shade, folder in ((10, "one/sub"), (90, "one"), (170, "other/one")):
        (base / folder).mkdir(parents=True, exist_ok=True)
        stripes = np.tile(np.array([shade - 5, shade + 5], np.uint8), (32, 16))
        Image.fromarray(stripes).save(base / folder / "a.png")
    for folder in ("one/sub", "one", "other/one"):
        corpus = read("folder", base / folder)
        corpus = replace(corpus, records=tuple(r for r in corpus.records if Path(r.image).parent == base / folder))
        store = open_store(corpus, tmp_path_factory.mktemp("stores"), 32, progress=False)
        datasets[folder] = StoreRegions([RegionSource(store)], AugmentedCrop(SIZE, area=None), seed=0)
    return base, datasets


@pytest.mark.parametrize("order", list(permutations(["one/sub", "one", "other/one"])))
def test_files_that_end_alike_are_embedded_each(alike, tmp_path, order):
    base, datasets = alike
    for root in (None, base):
        for folder in order:
            expert = counted()
            cached = cached_expert(expert, [datasets[folder]], tmp_path / f"{root is None}.npz", root=root)
            assert expert.network.asked == 1
        for folder, shade in (("one/sub", 10), ("one", 90), ("other/one", 170)):
            batch = torch.utils.data.default_collate([datasets[folder][0]])
            assert cached.embed(batch["image"], batch)[0, 0].item() == pytest.approx(shade / 255, abs=1e-3)


def test_two_data_sets_with_the_same_names_below_their_roots_have_a_table_each(alike, tmp_path):
    base, datasets = alike
    cached_expert(counted(), [datasets["one"]], tmp_path / "cache.npz", root=base / "one")
    with pytest.raises(ValueError, match=r"another data set's folder"):
        cached_expert(counted(), [datasets["other/one"]], tmp_path / "cache.npz", root=base / "other/one")


def test_patches_that_round_to_the_same_edges_are_one(dataset, tmp_path):
    class Twice:
        boxes = False

        def patches(self, record, size):
            return [(0.1, 0.1, 0.5, 0.5), (0.1, 0.1, 0.5, 0.5 + 1e-9)]

    items = StoreRegions([RegionSource(dataset.sources[0].store, patches=Twice())], dataset.view, 0)
    cached_expert(counted(), [items], tmp_path / "cache.npz").check(items.keys())
    keys = list(items.keys())
    assert len(set(keys)) == len(keys) == 3 * len(items.sources[0].store)  # the image and both patches
    assert len(read_table(tmp_path / "cache.npz").files) == 2 * len(items.sources[0].store)


def test_another_expert_s_file_is_refused(dataset, tmp_path):
    one, two = counted("one"), counted("two")
    cached_expert(one, [dataset], tmp_path / "cache.npz")
    with pytest.raises(ValueError, match=f'"expert": "{one.fingerprint}".*"expert": "{two.fingerprint}"'):
        cached_expert(two, [dataset], tmp_path / "cache.npz")


def test_the_same_graph_with_another_normalisation_is_asked_anew(dataset, tmp_path):
    plain, normalised = NetworkExpert(Counted(), SIZE), NetworkExpert(Counted(), SIZE, mean=0.5, std=0.25)
    told = [cached_expert(expert, [dataset], tmp_path)._table for expert in (plain, normalised)]
    torch.testing.assert_close(told[1][:, 0], (told[0][:, 0] - 0.5) / 0.25)
    cached_expert(plain, [dataset], tmp_path / "one.npz")
    with pytest.raises(ValueError, match="another expert"):
        cached_expert(normalised, [dataset], tmp_path / "one.npz")


def test_wrong_kinds_of_file_and_expert_are_refused(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"\.npz or \.parquet"):
        cached_expert(counted(), [dataset], tmp_path / "cache.csv")
    trainable = NetworkExpert(nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, 2)), SIZE)
    trainable.network[1].bias.requires_grad_()
    with pytest.raises(RuntimeError, match="trainable"):
        cached_expert(trainable, [dataset], tmp_path / "cache.npz")


def test_an_embedding_that_is_not_finite_is_named(dataset, tmp_path):
    class Bad(nn.Module):
        def forward(self, images):
            return images.mean((2, 3)).log() * float("nan")

    with pytest.raises(ValueError, match=r"embedding of .*00000001_000\.png that is not finite"):
        cached_expert(NetworkExpert(Bad(), SIZE), [dataset], tmp_path / "cache.npz")


def test_killed_it_goes_on_and_ends_with_the_same_table(phantom, tmp_path, monkeypatch, python):
    """The command itself, killed with SIGKILL after its first part."""
    expert = seeded_expert("vit_tiny_patch16_224", 1, OPTIONS, SIZE)
    save_encoder(expert.network, tmp_path / "encoder.safetensors")
    arguments = [str(tmp_path / "encoder.safetensors"), "chestxray14", str(phantom), str(tmp_path / "cache.npz")]
    arguments += ["--stores", str(tmp_path / "stores"), "--store-size", "64", "--anywhere", "1", "--batch-size", "4"]
    deadly = f"""
        import os, runpy, signal, sys
        from common.teachers import expert_memory

        kill_at, *arguments = sys.argv[1:]
        write = expert_memory.write_table

        def deadly(table, path):
            write(table, path)
            if path.name == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

        expert_memory.PART, expert_memory.write_table = 4, deadly
        sys.argv = ["cache_embeddings.py", *arguments]
        runpy.run_path({str(ROOT / "scripts" / "cache_embeddings.py")!r}, run_name="__main__")
    """
    script = tmp_path / "deadly.py"
    script.write_text(textwrap.dedent(deadly))
    killed = python(script, "000000.npz", *arguments)
    assert killed.returncode == -signal.SIGKILL and "Embedding 12 images" in killed.stderr
    parts = list((tmp_path / "cache.npz.parts").glob("*.npz"))
    assert len(parts) == 1 and not (tmp_path / "cache.npz").exists()
    kept = read_table(parts[0])
    assert len(kept) == 4
    resumed = python(script, "never", *arguments)
    assert resumed.returncode == 0 and "Embedding 8 images" in resumed.stderr
    assert not (tmp_path / "cache.npz.parts").exists()
    whole = read_table(tmp_path / "cache.npz")
    assert len(whole) == 12 and np.array_equal(whole.embeddings[:4], kept.embeddings)
    monkeypatch.setattr(expert_memory, "PART", 4)
    store = open_store(read("chestxray14", phantom), tmp_path / "stores", 64, progress=False)
    rule = PatchRule(boxes=False, anywhere=1)
    items = StoreRegions([RegionSource(store, patches=rule)], AugmentedCrop(1, area=None), 0)
    again = cached_expert(expert, [items], tmp_path / "again.npz", batch_size=4)
    table = read_table(tmp_path / "again.npz")
    assert np.array_equal(table.embeddings, whole.embeddings) and isinstance(again, CachedExpert)


def test_killed_between_the_whole_table_and_its_parts_removal_it_goes_on(dataset, tmp_path):
    path = tmp_path / "cache.npz"
    whole = cached_expert(counted(), [dataset], path)
    parts = tmp_path / "cache.npz.parts"
    parts.mkdir()
    (parts / "00000.npz").write_bytes(path.read_bytes())
    assert torch.equal(cached_expert(counted(), [dataset], path)._table, whole._table)
