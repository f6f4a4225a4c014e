"""Stores whose own files are no longer what they were."""

import json
import logging
import os
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from noise_store import COUNT, SIZE, cut, pixels, whole, write

from common.files import DatasetError
from common.images import Store, open_store


def flip(path, entry):
    with path.open("r+b") as file:
        file.seek(entry * SIZE * SIZE + 100 - COUNT * SIZE * SIZE, os.SEEK_END)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 4]))


def test_a_flipped_bit_is_seen_when_it_is_read_and_mended_when_the_store_is_opened_again(
    corpus, opened, decoded, tmp_path
):
    directory, _ = opened()
    flip(directory / "images.npy", 23)
    store = open_store(corpus, tmp_path / "stores", SIZE)
    store.batch([0, 22, 24])
    for reader in (store, store.subset("train", limit=COUNT), pickle.loads(pickle.dumps(store))):
        with pytest.raises(DatasetError, match=r"images.npy: the pixels of .*023.bmp .* Start again"):
            reader.batch([1, 23])
    del store, reader
    decoded.clear()
    _, found = opened()
    assert decoded == ["023.bmp"] and np.array_equal(found, whole())
    _, found = opened()
    assert decoded == ["023.bmp"]


def test_an_entry_is_compared_once_for_all_workers_and_epochs(corpus, opened, tmp_path):
    directory, _ = opened()
    store = open_store(corpus, tmp_path / "stores", SIZE)

    class Rows(torch.utils.data.Dataset):
        def __len__(self):
            return COUNT

        def __getitem__(self, index):
            return store.batch([index])[0]

    list(torch.utils.data.DataLoader(Rows(), batch_size=8, num_workers=2))  # forked: they end with their epoch
    flip(directory / "images.npy", 23)
    store.batch([23])  # what the workers have seen is not compared again


def foreign(path):
    pd.DataFrame({"a": [1]}).to_parquet(path)


def of_others(path):
    table = pd.read_parquet(path)
    table.assign(path=table["path"] + "x").to_parquet(path)


def of_another_size(path):
    path.write_text(path.read_text().replace(f'"size": {SIZE}', '"size": 17'))


DAMAGE = [
    ("store.json", cut, 0),
    ("store.json", os.remove, 0),
    ("store.json", lambda path: path.write_text('{"format": "two"}'), 0),
    ("store.json", of_another_size, 0),
    ("table.parquet", cut, COUNT),
    ("table.parquet", os.remove, COUNT),
    ("table.parquet", foreign, COUNT),
    ("table.parquet", of_others, COUNT),
    ("quarantine.json", cut, 1),
    ("quarantine.json", os.remove, 1),
    ("quarantine.json", lambda path: path.write_text("[1]"), 1),
    ("images.npy", cut, COUNT // 2 + 1),
    ("images.npy", os.remove, COUNT),
    ("images.npy", lambda path: path.write_bytes(b"text"), COUNT),
    ("images.npy", lambda path: np.save(path, np.zeros((COUNT, 1, SIZE, SIZE), np.uint8)), COUNT),
    ("images.npy", lambda path: np.save(path, np.zeros((COUNT, SIZE), np.float32)), COUNT),
]


@pytest.mark.parametrize(("name", "spoil", "lost"), DAMAGE)
def test_a_damaged_store_is_built_again_with_what_holds_good(name, spoil, lost, opened, decoded, tmp_path, caplog):
    (tmp_path / "003.bmp").write_bytes(b"broken")
    directory, expected = opened()
    spoil(directory / name)
    decoded.clear()
    with caplog.at_level(logging.WARNING):
        _, found = opened()
    assert np.array_equal(found, expected) and len(decoded) <= lost
    words = [line for line in caplog.messages if "Building again" in line]
    assert len(words) == 1 and name in words[0]
    caplog.clear()
    opened()
    assert not [line for line in caplog.messages if "Building again" in line]


@pytest.mark.parametrize(("name", "spoil", "_"), [case for case in DAMAGE if case[1] is cut])
def test_a_damaged_store_that_is_not_opened_by_open_store_is_named(name, spoil, _, corpus, opened):
    directory, _ = opened()
    spoil(directory / name)
    with pytest.raises(DatasetError, match=rf"{name}.*open_store"):
        Store(directory, corpus).batch([0])


def test_a_store_of_a_newer_format_is_refused_and_left_alone(opened, decoded):
    directory, _ = opened()
    summary = directory / "store.json"
    summary.write_text(summary.read_text().replace('"format": 2', '"format": 3'))
    before = {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}
    decoded.clear()
    with pytest.raises(DatasetError, match="its format is 3, and this code knows those up to 2"):
        opened()
    assert not decoded and before == {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}


def test_a_store_without_checksums_serves_with_a_word_and_gets_them_when_a_file_changes(
    opened, decoded, caplog, tmp_path
):
    directory, expected = opened()
    table = pd.read_parquet(directory / "table.parquet").drop(columns="crc32")
    table.to_parquet(directory / "table.parquet", index=False)
    summary = directory / "store.json"
    summary.write_text(summary.read_text().replace('"format": 2', '"format": 1'))
    decoded.clear()
    _, found = opened()
    assert np.array_equal(found, expected) and not decoded and "without checksums" in caplog.text
    write(tmp_path / "009.bmp", 9009)
    caplog.clear()
    _, found = opened()
    assert decoded == ["009.bmp"] and np.array_equal(found[9], pixels(9009)) and np.array_equal(found[8], expected[8])
    assert json.loads(summary.read_text())["format"] == 2 and "without checksums" not in caplog.text
    assert pd.read_parquet(directory / "table.parquet")["crc32"].notna().all()
