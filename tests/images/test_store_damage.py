"""Stores whose files, or whose images' files, are no longer what they were."""

import errno
import json
import logging
import os
import pickle
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from common.files import DatasetError
from common.files import build as journaled
from common.images import Store, open_store
from common.images.store import build as building
from common.images.store import check as checking
from common.images.store import worker as working
from common.records import Corpus, Record
from common.volumes import entries

COUNT, SIZE = 40, 16


def write(path, seed):
    """A picture whose file has one size whatever it shows, and as many pixels as an entry."""
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (SIZE, SIZE), np.uint8)).save(path)


def pixels(seed):
    return np.random.default_rng(seed).integers(0, 255, (SIZE, SIZE), np.uint8)


@pytest.fixture
def corpus(tmp_path):
    records = []
    for number in range(COUNT):
        path = tmp_path / f"{number:03}.bmp"
        write(path, number)
        records.append(Record(str(path), f"p{number}", "train", "toy"))
    return Corpus("toy", tuple(records))


@pytest.fixture
def opened(corpus, tmp_path):
    """Opens the store, closing it again; gives its folder and pixels."""

    def run(**options):
        store = open_store(corpus, tmp_path / "stores", SIZE, workers=1, progress=False, **options)
        return store.directory, store.batch(range(len(store))).numpy()[:, 0]

    return run


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that are decoded, in order."""
    names, original = [], working.decode

    def noted(payload, path, channels):
        names.append(Path(path).name)
        return original(payload, path, channels)

    monkeypatch.setattr(working, "decode", noted)
    return names


@pytest.fixture
def hashed(monkeypatch):
    """Files whose content is compared."""
    paths, original = [], checking._has_same_content

    def noted(line):
        paths.append(line["path"])
        return original(line)

    monkeypatch.setattr(checking, "_has_same_content", noted)
    return paths


def whole():
    return np.stack([pixels(number) for number in range(COUNT)])


@pytest.mark.parametrize("replaced", [[number] for number in range(0, COUNT, 3)] + [[5, 6, 39]])
def test_every_replaced_image_is_seen_and_it_alone_is_decoded(corpus, opened, decoded, replaced, caplog):
    opened()
    for number in replaced:
        size = Path(corpus.records[number].image).stat().st_size
        write(corpus.records[number].image, 1000 + number)
        assert Path(corpus.records[number].image).stat().st_size == size
    decoded.clear()
    _, found = opened()
    assert decoded == [f"{number:03}.bmp" for number in replaced]
    assert f"{len(replaced)} of 40 files have changed" in caplog.text and f"{replaced[0]:03}.bmp" in caplog.text
    expected = whole()
    expected[replaced] = [pixels(1000 + number) for number in replaced]
    assert np.array_equal(found, expected)


def test_a_changed_file_that_cannot_be_read_and_a_repaired_one_change_no_other(corpus, opened, decoded, tmp_path):
    payload = (tmp_path / "017.bmp").read_bytes()
    opened()
    for torn, lost in ((payload[:60], [17]), (payload, [])):
        decoded.clear()
        (tmp_path / "017.bmp").write_bytes(torn)
        directory, found = opened()
        assert decoded == ["017.bmp"] and np.array_equal(found, np.delete(whole(), lost, axis=0))
        files = ["images.npy", "quarantine.json", "store.json", "table.parquet"]
        assert sorted(path.name for path in directory.iterdir()) == files
        assert not list(directory.parent.glob("*.building"))


def test_touched_files_are_compared_once_and_never_decoded(corpus, opened, decoded, hashed, tmp_path):
    (tmp_path / "003.bmp").write_bytes(b"broken")  # a quarantined file is touched as well
    directory, before = opened()
    inode = (directory / "images.npy").stat().st_ino
    decoded.clear()
    for record in corpus.records:
        os.utime(record.image, ns=(1, 2))
    for _ in range(3):
        _, found = opened()
        assert np.array_equal(found, before) and (directory / "images.npy").stat().st_ino == inode
    assert not decoded
    assert sorted(hashed) == [record.image for record in corpus.records]  # at the first opening alone


def test_the_ranks_of_a_launch_examine_a_store_once_and_each_rank_again(opened, monkeypatch, tmp_path):
    opened()
    examined, original = [], building.examine
    monkeypatch.setattr(building, "examine", lambda wanted: examined.append(os.environ["RANK"]) or original(wanted))
    monkeypatch.setenv("WORLD_SIZE", "3")

    def of_rank(rank):
        monkeypatch.setenv("RANK", str(rank))
        return opened()[1]

    for rank in (1, 0, 2):
        of_rank(rank)
    assert examined == ["1"]
    write(tmp_path / "009.bmp", 9009)
    for rank in (0, 1, 2):
        assert np.array_equal(of_rank(rank)[9], pixels(9009))
    assert set(examined) == {"0", "1"}
    monkeypatch.setenv("MASTER_PORT", "another launch")
    of_rank(2)
    assert examined[-1] == "2"


def test_a_shorter_list_has_a_store_that_follows_its_files_too(corpus, tmp_path):
    few = Corpus("toy", corpus.records[:7])
    for seed in (6, 1006):
        write(tmp_path / "006.bmp", seed)
        store = open_store(few, tmp_path / "stores", SIZE, workers=1, progress=False)
        assert np.array_equal(store.batch([6])[0, 0], pixels(seed))
        del store


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


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


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


@contextmanager
def stopped(monkeypatch, name, before):
    """Stop a build before or after one of its steps, as a kill would."""
    original = getattr(building, name)

    def stop(*arguments, **options):
        if not before:
            original(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(building, name, stop)
        with pytest.raises(KeyboardInterrupt):
            yield


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize(
    ("name", "before"),
    [("take_over", True), ("take_over", False), ("fill", False), ("finish", False), ("_publish", True)],
)
def test_a_repair_that_is_killed_goes_on(opened, decoded, monkeypatch, tmp_path, name, before, broken):
    if broken:
        (tmp_path / "003.bmp").write_bytes(b"broken")
    opened()
    write(tmp_path / "009.bmp", 9009)
    decoded.clear()
    with stopped(monkeypatch, name, before):
        opened()
    directory, found = opened()
    expected = whole()
    expected[9] = pixels(9009)
    assert np.array_equal(found, np.delete(expected, [3] * broken, axis=0)) and decoded == ["009.bmp"]
    assert sorted(path.name for path in directory.parent.iterdir()) == [f".{directory.name}.lock", directory.name]


def test_what_killed_runs_left_is_cleaned_at_the_next_build(opened, tmp_path):
    directory, _ = opened()
    (directory / "table.parquet.partial").write_bytes(b"half")
    shutil.copytree(directory, directory.with_name(directory.name + ".removed"))
    os.utime(tmp_path / "009.bmp")
    opened()
    assert len(list(directory.iterdir())) == 4
    assert sorted(path.name for path in directory.parent.iterdir()) == [f".{directory.name}.lock", directory.name]


@pytest.mark.parametrize("spoil", ["binary", "other list", "other file", "cut slots"])
def test_a_journal_is_believed_only_where_it_fits(opened, monkeypatch, tmp_path, spoil):
    with stopped(monkeypatch, "finish", True):
        opened()
    (work,) = (tmp_path / "stores").glob("*.building")
    journal = work / "journal.jsonl"
    expected = whole()
    if spoil == "binary":
        journal.write_bytes(b"\xff\xfe" + journal.read_bytes()[2:200] + b"\n[0, 5]\n{}\n[3]\n")
    elif spoil == "other list":
        journal.write_text(journal.read_text().replace("/00", "/01"))
    elif spoil == "other file":
        write(tmp_path / "009.bmp", 9009)  # after it was decoded, before the build was ended
        expected[9] = pixels(9009)
    else:
        cut(work / "slots.npy")
    _, found = opened()
    assert np.array_equal(found, expected)


def test_a_file_too_large_is_refused_by_name_and_the_build_goes_on(opened, decoded):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(
            DatasetError, match=r"larger than a file may be here .*MB are free.*the same command goes on"
        ):
            opened()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    _, found = opened()
    assert np.array_equal(found, whole())


def test_a_disk_that_fills_up_on_the_way_keeps_what_was_built(opened, decoded, monkeypatch):
    original, written = os.pwrite, []

    def full(*arguments):
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(arguments)
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        patch.setattr(journaled, "JOURNAL_SECONDS", 0.0)
        with pytest.raises(DatasetError, match=r"the disk is full .*Free space or name another folder"):
            opened()
    decoded.clear()
    _, found = opened()
    assert len(decoded) == COUNT - 3 and np.array_equal(found, whole())


def test_a_volume_that_does_not_fit_says_so_by_its_number(tmp_path):
    """NumPy's own `save` raises an error without `errno`, by which nobody can tell a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(OSError) as raised:
            entries.write_array(tmp_path / "a.npy", np.zeros((50, 50, 50), np.int16))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raised.value.errno == errno.EFBIG
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4).transpose(2, 0, 1)
    entries.write_array(tmp_path / "b.npy", array)
    assert np.array_equal(np.load(tmp_path / "b.npy"), array)
