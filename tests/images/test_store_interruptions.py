"""Stores whose building or repair was stopped, by a kill or a full disk."""

import errno
import os
import resource
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from noise_store import COUNT, cut, pixels, whole, write

from common.files import DatasetError
from common.files import build as journaled
from common.images.store import build as building
from common.volumes import entries


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
