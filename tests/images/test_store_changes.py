"""Stores whose images' files are no longer what they were."""

import os
from pathlib import Path

import numpy as np
import pytest
from noise_store import COUNT, SIZE, pixels, whole, write

from common.images import open_store
from common.images.store import build as building
from common.images.store import check as checking
from common.records import Corpus


@pytest.fixture
def hashed(monkeypatch):
    """Files whose content is compared."""
    paths, original = [], checking._has_same_content

    def noted(line):
        paths.append(line["path"])
        return original(line)

    monkeypatch.setattr(checking, "_has_same_content", noted)
    return paths


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
