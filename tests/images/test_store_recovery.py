import errno
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from common.files import DatasetError
from common.images import Store, open_store
from common.images.store import build as building
from common.images.store import filling
from common.images.store import worker as working
from common.records import Corpus, Record

BUILD = """
import os, signal, sys, time
from pathlib import Path
from common.files import build
from common.images.store import worker as working
from common.images.store.store import Store
from common.records import Corpus, Record
original, build.JOURNAL_SECONDS, pause = working.decode, 0.0, float(sys.argv[3])
def slow(payload, path, channels):
    time.sleep(pause)
    return original(payload, path, channels)
working.decode = slow
paths = sorted(map(str, Path(sys.argv[1]).glob("*.png")))
corpus = Corpus("toy", tuple(Record(path, path, "train", "toy") for path in paths))
Store.build(corpus, sys.argv[2], 16, workers=2, progress=False)
"""


@pytest.fixture
def corpus(tmp_path):
    records = []
    for number in range(96):
        path = tmp_path / f"{number:03}.png"
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (20, 20), np.uint8)).save(path)
        records.append(Record(str(path), str(path), "train", "toy"))
    return Corpus("toy", tuple(records))


@pytest.fixture
def expected(corpus, tmp_path):
    return np.array(Store.build(corpus, tmp_path / "reference", 16, workers=1, progress=False).images)


def count_decodes(monkeypatch):
    calls, original = [], working.decode

    def counted(payload, path, channels):
        calls.append(path)
        return original(payload, path, channels)

    monkeypatch.setattr(working, "decode", counted)
    return calls


def test_a_killed_build_goes_on_where_it_stopped(corpus, expected, tmp_path, monkeypatch):
    stores = tmp_path / "stores"
    command = [sys.executable, "-c", BUILD, str(tmp_path), str(stores), "0.02"]
    process = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        journals = list(stores.glob("*.building/journal.jsonl"))
        if journals and journals[0].stat().st_size > 100:
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not [path for path in stores.iterdir() if (path / "store.json").exists() and path.suffix != ".building"]
    calls = count_decodes(monkeypatch)
    start = time.monotonic()
    store = open_store(corpus, stores, 16, workers=1, progress=False)
    assert time.monotonic() - start < 20  # orphaned workers end themselves and let go of the lock
    assert 0 < len(calls) < 96
    assert np.array_equal(store.images, expected)


@pytest.fixture
def journal(corpus, tmp_path, monkeypatch):
    """Of a build of `stores` that was stopped when only its end was missing."""

    def stop(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(building, "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    return next((tmp_path / "stores").glob("*.building/journal.jsonl"))


def test_a_torn_journal_costs_only_its_last_line(corpus, expected, journal, tmp_path, monkeypatch):
    text = journal.read_text().rstrip()
    journal.write_text(text[: -len(text.splitlines()[-1]) // 2])
    calls = count_decodes(monkeypatch)
    store = open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    assert len(calls) == 1
    assert np.array_equal(store.images, expected)


def test_a_build_that_was_begun_by_an_earlier_version_goes_on(corpus, expected, journal, tmp_path, monkeypatch):
    """Its journal has runs of neighbours."""
    lines = [line for _, line in sorted(map(json.loads, filter(None, journal.read_text().splitlines())))]
    journal.write_text("".join(f"\n{json.dumps([first, lines[first : first + 8]])}" for first in range(0, 88, 8)))
    calls = count_decodes(monkeypatch)
    store = open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    assert len(calls) == 8 and np.array_equal(store.images, expected)


@pytest.mark.parametrize("step", ["write_header", "reserve", "fill", "_copy_rows"])
def test_stopped_between_steps(corpus, tmp_path, monkeypatch, step):
    (tmp_path / "003.png").write_bytes(b"broken")
    expected = np.array(Store.build(corpus, tmp_path / "reference", 16, workers=1, progress=False).images)
    with monkeypatch.context() as patch:
        module = building if step == "fill" else filling
        original = getattr(module, step)

        def stop(*arguments):
            original(*arguments)
            raise KeyboardInterrupt

        patch.setattr(module, step, stop)
        with pytest.raises(KeyboardInterrupt):
            open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    store = open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    assert np.array_equal(store.images, expected) and len(store) == 95
    files = ["images.npy", "quarantine.json", "store.json", "table.parquet"]
    assert sorted(path.name for path in store.directory.iterdir()) == files


def test_a_decoder_that_crashes_costs_one_file(corpus, expected, tmp_path, monkeypatch):
    original = working.decode

    def crash(payload, path, channels):
        if "017" in str(path):
            os.kill(os.getpid(), signal.SIGKILL)
        return original(payload, path, channels)

    monkeypatch.setattr(working, "decode", crash)
    store = open_store(corpus, tmp_path / "stores", 16, workers=2, progress=False)
    assert [bad.path for bad in store.quarantine] == [corpus.records[17].image]
    assert "crashed" in store.quarantine[0].reason
    assert np.array_equal(store.images, np.delete(expected, 17, axis=0))
    assert opened_again(corpus, store)


def opened_again(corpus, store):
    """Say whether opening a store leaves its files alone."""
    before = (store.directory / "images.npy").stat()
    directory, size = store.directory.parent, store.size
    again = open_store(corpus, directory, size, workers=2, progress=False)
    after = (again.directory / "images.npy").stat()
    return (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("damage", ["empty", "missing", "forbidden", "folder", "torn", "not a picture"])
def test_a_quarantined_file_does_not_make_its_store_stale(corpus, tmp_path, workers, damage):
    path = tmp_path / "017.png"
    payload = path.read_bytes()
    if damage == "forbidden":
        if os.geteuid() == 0:
            pytest.skip("root may read every file")
        path.chmod(0)
    else:
        path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage in ("empty", "torn", "not a picture"):
        path.write_bytes({"empty": b"", "torn": payload[:60], "not a picture": b"text"}[damage])
    store = open_store(corpus, tmp_path / "stores", 16, workers=workers, progress=False)
    assert [bad.path for bad in store.quarantine] == [str(path)]
    assert opened_again(corpus, store) and opened_again(corpus, store)
    del store
    if damage == "folder":
        path.rmdir()
    elif damage == "forbidden":
        path.chmod(0o600)
    path.write_bytes(payload)
    assert not open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False).quarantine


def test_a_process_that_waited_takes_the_store_that_was_built_meanwhile(corpus, tmp_path, monkeypatch):
    first = open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    (tmp_path / "017.png").write_bytes(b"changed")
    built = []

    @contextmanager
    def meet_the_other_rank(path):
        # The other rank holds the lock, replaces the store and opens it; the files never stop looking changed.
        shutil.copytree(first.directory, tmp_path / "other")
        first.directory.rename(tmp_path / "gone")
        (tmp_path / "other").rename(first.directory)
        built.append((first.directory / "images.npy").stat().st_ino)
        yield

    monkeypatch.setattr(building, "locked", meet_the_other_rank)
    monkeypatch.setattr(building, "is_current", lambda final: False)
    second = open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    assert [(second.directory / "images.npy").stat().st_ino] == built


@pytest.mark.parametrize("copy", [lambda store: store, lambda store: pickle.loads(pickle.dumps(store))])
def test_a_store_that_is_open_is_never_removed(corpus, expected, tmp_path, copy):
    store = copy(open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False))
    (tmp_path / "000.png").write_bytes(b"changed")
    with pytest.raises(DatasetError, match="has it open"):
        open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    assert np.array_equal(store.batch(range(96)), expected)
    del store
    again = open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    assert len(again) == 95


def test_a_full_disk_is_said_before_any_work_and_the_build_goes_on_later(corpus, expected, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(DatasetError, match="disk is full"):
            open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    store = open_store(corpus, tmp_path / "stores", 16, workers=1, progress=False)
    assert np.array_equal(store.images, expected)


def test_two_processes_build_one_store(corpus, expected, tmp_path):
    command = [sys.executable, "-c", BUILD, str(tmp_path), str(tmp_path / "stores"), "0.002"]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    finished = list((tmp_path / "stores").glob("*/store.json"))
    assert len(finished) == 1 and json.loads(finished[0].read_text())["images"] == 96
    assert np.array_equal(open_store(corpus, tmp_path / "stores", 16).images, expected)
