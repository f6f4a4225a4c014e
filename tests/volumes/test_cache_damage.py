"""Prepared volumes after a bad disk, by another version, and with a torn index: made again, and no others."""

import errno
import json
import os
import shutil
import zipfile

import numpy as np
import pytest
from ct_files import ras_affine, save_nifti, save_series, save_slice
from toy_volumes import SPACING, opened, values_of, write

from common.files import DatasetError, UnreadableImage
from common.records import Corpus, Record
from common.volumes import Preparation, entries, read_volume


@pytest.fixture
def corpus(tmp_path):
    return write(tmp_path / "data", 4)


@pytest.fixture
def prepared(monkeypatch):
    """Names of the volumes that are prepared while a test runs."""
    names = []
    original = Preparation.prepare
    monkeypatch.setattr(
        Preparation, "prepare", lambda self, task: names.append(task.place.name) or original(self, task)
    )
    return names


def check(found):
    assert len(found) == 4
    for number in range(4):
        assert np.array_equal(found.hounsfield(number), values_of(number))
        if number % 2 == 0:
            assert np.array_equal(found.organs(number), values_of(number) % 3 == 0)


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 255
    with path.open("r+b") as file:  # in place, as a bad disk does
        file.write(content)


DAMAGE = {
    "a flipped byte": lambda folder: flip(folder / "hounsfield.npy"),
    "a flipped byte of a mask": lambda folder: flip(folder / "organs.npy"),
    "a cut array": lambda folder: os.truncate(folder / "hounsfield.npy", 200),
    "an empty array": lambda folder: os.truncate(folder / "hounsfield.npy", 0),
    "a lost array": lambda folder: (folder / "organs.npy").unlink(),
    "a lost folder": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_volume_is_prepared_again_and_no_other(tmp_path, corpus, prepared, damage):
    found = opened(corpus, tmp_path / "cache")
    check(found)
    prepared.clear()
    DAMAGE[damage](found.directory / found.entries[2]["key"])
    check(opened(corpus, tmp_path / "cache"))
    assert prepared == ["v2.nii.gz"]
    check(opened(corpus, tmp_path / "cache"))
    assert len(prepared) == 1 and not list(found.directory.glob("*.part"))


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b'{"checksums": 3}', b"\xff\xfe"])
def test_facts_that_are_damaged_or_of_another_version(tmp_path, corpus, prepared, content):
    found = opened(corpus, tmp_path / "cache")
    (found.directory / found.entries[1]["key"] / "facts.json").write_bytes(content)
    (found.directory / "index.jsonl").unlink()
    prepared.clear()
    check(opened(corpus, tmp_path / "cache"))
    assert prepared == ["v1.nii.gz"]


def test_a_cache_that_was_copied_is_looked_into_once(tmp_path, corpus, prepared):
    found = opened(corpus, tmp_path / "cache")
    prepared.clear()
    for path in found.directory.rglob("*.npy"):
        os.utime(path, (1, 1))
    check(opened(corpus, tmp_path / "cache"))
    lines = (found.directory / "index.jsonl").read_text()
    check(opened(corpus, tmp_path / "cache"))
    assert not prepared and (found.directory / "index.jsonl").read_text() == lines


@pytest.mark.parametrize(
    "line", [b'["torn', b"3", b"null", b"[1]", b'{"a": 1}', b'["x", 3]', b"\xff\xfe\x00", b'["x", [["key", 1]]]']
)
def test_lines_of_the_index_that_are_none(tmp_path, corpus, prepared, line):
    index = opened(corpus, tmp_path / "cache").directory / "index.jsonl"
    prepared.clear()
    index.write_bytes(line + b"\n" + index.read_bytes() + b"\n" + line)
    check(opened(corpus, tmp_path / "cache"))
    assert not prepared


def test_a_line_of_another_version_is_written_anew(tmp_path, corpus, prepared):
    index = opened(corpus, tmp_path / "cache").directory / "index.jsonl"
    prepared.clear()
    lines = [json.loads(text) for text in index.read_text().splitlines() if text]
    for lacking in ("key", "prepared", "organs"):
        index.write_text(
            "\n".join(json.dumps([name, {k: v for k, v in line.items() if k != lacking}]) for name, line in lines)
        )
        check(opened(corpus, tmp_path / "cache"))
    assert not prepared


def test_a_source_replaced_under_the_same_size_and_an_older_slice(tmp_path):
    save_series(tmp_path / "s", values_of(0), SPACING)
    series = Corpus("toy", (Record(str(tmp_path / "s"), "p", "train", "toy"),))
    opened(series, tmp_path / "cache")
    (path,) = (tmp_path / "s").glob("*-4.dcm")
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[-2:] = (777).to_bytes(2, "little")
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns - 10**12))  # an old copy, which no latest time shows
    assert opened(series, tmp_path / "cache").hounsfield(0)[4, -1, -1] == 777


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_named_with_file_and_remedy(tmp_path, corpus, monkeypatch, workers):
    monkeypatch.setattr(entries, "HOUNSFIELD", "/dev/full")
    with pytest.raises(
        DatasetError, match=r"/dev/full: the disk is full \(\d+ MB are free\)\. Free space or name"
    ) as error:
        opened(corpus, tmp_path / "cache", workers)
    assert error.value.__cause__.errno == errno.ENOSPC
    monkeypatch.undo()
    check(opened(corpus, tmp_path / "cache", workers))


def test_doubts_are_told_at_every_opening(tmp_path, caplog):
    root = tmp_path / "data"
    for number in range(2):
        save_nifti(root / f"v{number}.nii.gz", values_of(number) + 1024 * number, ras_affine(SPACING))
    records = tuple(Record(str(root / f"v{number}.nii.gz"), f"p{number}", "train", "toy") for number in range(2))
    for _ in range(2):
        caplog.clear()
        found = opened(Corpus("toy", records), tmp_path / "cache", preparation=Preparation())
        assert len(found) == 2
        assert "1 of 2 volumes of toy are used, but look at them: v1.nii.gz (it has no air, lung or fat" in caplog.text
        assert "v0.nii.gz" not in caplog.text


def test_an_archive_of_numpy_that_lies_or_holds_objects(tmp_path):
    def refused(path, problem):
        with pytest.raises(UnreadableImage, match=problem) as error:
            read_volume(path)
        assert str(path) in str(error.value)

    honest = tmp_path / "a.npz"
    np.savez_compressed(honest, ct=values_of(0))
    assert read_volume(honest).hounsfield.shape == values_of(0).shape
    with zipfile.ZipFile(honest) as archive:
        content = archive.read("ct.npy")
    lying = content.replace(b"(10, 12, 14)", b"(999,999,999)")
    assert len(lying) == len(content) + 1
    lying = lying.replace(b" \n", b"\n", 1)
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ct.npy", lying)
    refused(tmp_path / "b.npz", "1,994,005,998 bytes of voxels, and .* cannot hold them")
    np.savez(tmp_path / "c.npz", ct=np.array([{"run": "me"}], dtype=object))
    refused(tmp_path / "c.npz", "holds Python objects")


def test_a_slice_alone_never_costs_the_rest(tmp_path):
    """One series with a repeated slice beside a sound one."""
    save_series(tmp_path / "a", values_of(0), SPACING)
    save_series(tmp_path / "b", values_of(1), SPACING)
    save_slice(tmp_path / "b" / "again.dcm", values_of(1)[0], (-90.5, -120, -700), spacing=SPACING[1:])
    records = tuple(Record(str(tmp_path / name), name, "train", "toy") for name in "ab")
    found = opened(Corpus("toy", records), tmp_path / "cache", preparation=Preparation())
    assert [record.patient_id for record in found.records] == ["a"] and "repeat a place" in found.quarantine[0].reason
