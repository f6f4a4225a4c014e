"""A phantom is never said to be the data set whose layout it has, wherever a name of data is kept."""

import json

import numpy as np
import pytest
from PIL import Image

from common.images import SeededDataset, StoreImages, as_items, open_store
from common.phantom import write_phantom
from common.phantom.ct import write_ct_rate, write_ratic
from common.readers import read
from common.records import Corpus
from common.records.data_used import DataUsed, data_used

CT = {"size": 48, "thickness": 9.0}


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    return write_phantom(tmp_path_factory.mktemp("data") / "any name", 6, 32, seed=7)


def names(corpus):
    return {corpus.name, *(record.source for record in corpus.records)}


def test_the_layout_does_not_name_the_radiographs(phantom, tmp_path):
    corpus = read("chestxray14", phantom, val_fraction=0.0)
    assert names(corpus) == {"phantom_chestxray14"} and any("phantom" in notice for notice in corpus.notices)
    store = open_store(corpus, tmp_path, 16, workers=1, progress=False)
    summary = json.loads((store.directory / "store.json").read_text())
    assert summary["corpus"] == "phantom_chestxray14" and store.directory.name.startswith("phantom_chestxray14-16px")
    assert corpus.name.replace("_", "").isalnum()  # a folder, a run and a table can carry it


@pytest.mark.parametrize("part", ["images", "."])
def test_another_reader_or_another_folder_of_it_gives_the_same_name(phantom, part):
    assert names(read("folder", phantom / part, val_fraction=0.0)) == {"phantom_chestxray14"}
    assert names(read("chestxray14", phantom.parent, val_fraction=0.0)) == {"phantom_chestxray14"}


def test_the_layout_does_not_name_the_volumes(tmp_path):
    chest, belly = write_ct_rate(tmp_path / "a", 2, **CT), write_ratic(tmp_path / "b", 2, **CT)
    assert names(read("ct_rate", chest, val_fraction=0.0)) == {"phantom_ct_rate"}
    assert names(read("ct_folder", chest / "dataset" / "train_fixed", val_fraction=0.0)) == {"phantom_ct_rate"}
    assert names(read("ratic", belly, val_fraction=0.0)) == {"phantom_ratic"}


def test_what_bears_no_mark_keeps_its_name(phantom, tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "real.png")
    assert read("folder", tmp_path, val_fraction=0.0, test_fraction=0.0, name="real").name == "real"
    (tmp_path / "phantom.json").write_text('{"opera": "phantom"}')  # somebody else's
    assert read("folder", tmp_path, val_fraction=0.0, test_fraction=0.0, name="real").name == "real"
    (tmp_path / "part").symlink_to(phantom / "images")
    mixed = read("folder", tmp_path, val_fraction=0.0, test_fraction=0.0, name="real")
    assert mixed.name == "phantom_chestxray14+real"
    assert all((record.source == "real") == record.image.endswith("real.png") for record in mixed.records)
    (tmp_path / "phantom.json").write_text('{"phantom_in_layo')  # torn
    assert read("folder", tmp_path, val_fraction=0.0, test_fraction=0.0, name="real").name.startswith("phantom_")


def test_the_data_used_is_counted_in_what_is_read(phantom, tmp_path):
    corpus = read("chestxray14", phantom, val_fraction=0.0)
    store = open_store(corpus, tmp_path, 16, workers=1, progress=False).subset("train", limit=3)
    patients = len({record.patient_id for record in store.records})
    expected = [DataUsed("phantom_chestxray14", "train", 3, patients)]
    assert data_used(StoreImages(store)) == expected
    items = as_items(Corpus("x", store.records, corpus.findings))
    dataset = SeededDataset(items + items[:1], [], seed=0)  # one image twice is one image
    assert data_used(dataset, corpus) == expected
    assert data_used(dataset) == data_used(object()) == data_used(SeededDataset([*items, {"source": "?"}], [], 0)) == []
