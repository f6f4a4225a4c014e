import json
import logging
import multiprocessing
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
from ct_files import ras_affine, save_nifti, save_series
from toy_volumes import SHAPE, SPACING, opened, values_of, write

from common.files import DatasetError
from common.records import Calibration, Corpus, Record
from common.volumes import Preparation, cache, entries
from common.volumes.task import Task


def stamps(directory):
    return {path: path.stat().st_mtime_ns for path in sorted(directory.rglob("*.npy"))}


@pytest.mark.parametrize("workers", [1, 2])
def test_what_went_in_comes_out_mapped(tmp_path, workers, caplog):
    corpus = write(tmp_path / "data")
    with caplog.at_level(logging.WARNING):
        found = opened(corpus, tmp_path / "cache", workers)
    assert "2 of 4 volumes of toy have no organ mask" in caplog.text and found.without_organs == 2
    for number in range(4):
        mapped, organs = found.hounsfield(number), found.organs(number)
        assert isinstance(mapped, np.memmap) and not mapped.flags.writeable and mapped.dtype == np.int16
        assert np.array_equal(mapped, values_of(number)) and found.shape(number) == SHAPE
        assert (organs is None) == (number % 2 == 1)
        if organs is not None:
            assert organs.dtype == np.uint8 and np.array_equal(organs, values_of(number) % 3 == 0)
    test = found.subset("test")
    assert len(test) == 2 and np.array_equal(test.hounsfield(1), values_of(3))


def test_nothing_is_prepared_twice(tmp_path, monkeypatch):
    corpus = write(tmp_path / "data")
    opened(corpus.subset("train"), tmp_path / "cache")
    before = stamps(tmp_path / "cache")
    prepared = []
    original = Preparation.prepare
    monkeypatch.setattr(Preparation, "prepare", lambda self, task: prepared.append(task.image) or original(self, task))
    opened(corpus, tmp_path / "cache")
    assert [path[-8] for path in prepared] == ["1", "3"]
    opened(corpus, tmp_path / "cache")
    assert len(prepared) == 2 and before.items() <= stamps(tmp_path / "cache").items()
    # The same content elsewhere is the same volume.
    (tmp_path / "data").rename(tmp_path / "moved")
    moved = [
        replace(
            record,
            image=record.image.replace("/data/", "/moved/"),
            label_map=record.label_map and record.label_map.replace("/data/", "/moved/"),
        )
        for record in corpus.records
    ]
    assert len(opened(replace(corpus, records=tuple(moved)), tmp_path / "cache")) == 4 and len(prepared) == 2


def test_other_content_settings_or_calibration_is_another_volume(tmp_path):
    corpus = write(tmp_path / "data", 1)
    first = opened(corpus, tmp_path / "cache")
    coarse = opened(corpus, tmp_path / "cache", preparation=Preparation((6.0, 3.0, 3.0)))
    assert coarse.directory != first.directory and coarse.shape(0) == (5, 6, 7)
    save_nifti(tmp_path / "data" / "v0.nii.gz", values_of(90), ras_affine(SPACING))
    assert np.array_equal(opened(corpus, tmp_path / "cache").hounsfield(0), values_of(90))
    labels = np.full(SHAPE, 1, np.uint8)
    save_nifti(tmp_path / "data" / "m" / "v0.nii.gz", labels, ras_affine(SPACING))
    assert (opened(corpus, tmp_path / "cache").organs(0) == 2).all()
    record = replace(corpus.records[0], calibration=Calibration(1.0, -50.0, SPACING), label_map=None)
    shifted = opened(replace(corpus, records=(record,)), tmp_path / "cache").hounsfield(0)
    assert np.array_equal(np.sort(shifted.ravel()), np.sort(values_of(90).ravel() - 50))


def test_names_written_beside_a_label_map_are_noticed(tmp_path):
    corpus = write(tmp_path / "data", 1)
    before = opened(corpus, tmp_path / "cache").organs(0).copy()
    (tmp_path / "data" / "m" / "labels.json").write_text(json.dumps({"liver": 1, "spleen": 5}))
    after = opened(corpus, tmp_path / "cache").organs(0)
    assert set(np.unique(before)) == {0, 1} and np.array_equal(after, 2 * before), "5 was the liver, and is the spleen"


def test_a_slice_that_is_overwritten_in_place_is_noticed(tmp_path):
    save_series(tmp_path / "s", values_of(0), SPACING)
    corpus = Corpus("toy", (Record(str(tmp_path / "s"), "p", "train", "toy"),))
    opened(corpus, tmp_path / "cache")
    (path,) = (tmp_path / "s").glob("*-4.dcm")
    content = bytearray(path.read_bytes())
    content[-2:] = (777).to_bytes(2, "little")
    with path.open("r+b") as file:
        file.write(content)
    assert opened(corpus, tmp_path / "cache").hounsfield(0)[4, -1, -1] == 777


def test_what_cannot_be_used_is_named_and_left_out(tmp_path, caplog):
    corpus = write(tmp_path / "data")
    cut = tmp_path / "data" / "v1.nii.gz"
    content = cut.read_bytes()
    cut.write_bytes(content[:-20])
    with caplog.at_level(logging.WARNING):
        found = opened(corpus, tmp_path / "cache", workers=2)
    assert [record.patient_id for record in found.records] == ["p0", "p2", "p3"]
    assert [bad.path for bad in found.quarantine] == [str(cut)]
    assert "1 of 4 volumes of toy cannot be used" in caplog.text and "gzip data are cut" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        opened(corpus, tmp_path / "cache")
    assert "1 of 4 volumes of toy cannot be used" in caplog.text  # said at every opening
    cut.write_bytes(content)
    assert len(opened(corpus, tmp_path / "cache")) == 4
    for path in (tmp_path / "data").glob("*.nii.gz"):
        path.unlink()
    with pytest.raises(DatasetError, match="none of 4 volumes can be used"):
        opened(corpus, tmp_path / "cache")


def test_a_label_map_that_cannot_be_used_costs_no_volume(tmp_path, caplog):
    """The volumes that are diagnosed must be the same with and without masks."""
    corpus = write(tmp_path / "data")
    mask = tmp_path / "data" / "m" / "v2.nii.gz"
    save_nifti(mask, np.zeros((10, 12, 13), np.uint8), ras_affine(SPACING))
    for _ in range(2):  # said at every opening
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            found = opened(corpus, tmp_path / "cache")
        assert "1 label maps of toy cannot be used" in caplog.text and "the label map has" in caplog.text
        assert len(found) == 4 and not found.quarantine and found.without_organs == 3
        assert [bad.path for bad in found.refused_organs] == [str(mask)]
        assert found.organs(2) is None and np.array_equal(found.hounsfield(2), values_of(2))
    save_nifti(tmp_path / "data" / "m" / "v0.nii.gz", np.zeros((10, 12, 13), np.uint8), ras_affine(SPACING))
    with pytest.raises(DatasetError, match="none of 2 label maps can be used"):
        opened(corpus, tmp_path / "cache")


def crash_on_v1(task, preparation, directory):
    if "v1" in task.image:
        os.kill(os.getpid(), signal.SIGKILL)
    return entries.prepare_entry(task, preparation, directory)


def test_a_decoder_that_crashes_costs_one_volume(tmp_path, monkeypatch):
    corpus = write(tmp_path / "data", 6)
    monkeypatch.setattr(cache, "prepare_entry", crash_on_v1)
    found = opened(corpus, tmp_path / "cache", workers=2)
    assert [record.patient_id for record in found.records] == ["p0", "p2", "p3", "p4", "p5"]
    assert [bad.reason for bad in found.quarantine] == ["the decoder crashed on it"]
    monkeypatch.setattr(cache, "prepare_entry", entries.prepare_entry)
    assert len(opened(corpus, tmp_path / "cache", workers=2)) == 6, "the next opening tries it again"


def slow(task, preparation, directory):
    time.sleep(0.3)
    return entries.prepare_entry(task, preparation, directory)


def build(corpus, directory, prepare, workers=2):
    cache.prepare_entry = prepare
    opened(corpus, directory, workers)


def test_a_killed_build_goes_on_where_it_stopped(tmp_path, monkeypatch):
    corpus = write(tmp_path / "data", 8)
    context = multiprocessing.get_context("fork")
    process = context.Process(target=build, args=(corpus, tmp_path / "cache", slow))
    process.start()
    deadline = time.monotonic() + 60
    while len(stamps(tmp_path / "cache")) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    (place,) = (tmp_path / "cache").iterdir()
    draft = place / "0123.99.part"  # as a kill in the middle of writing leaves it
    draft.mkdir()
    with (place / "index.jsonl").open("a") as index:
        index.write('["torn')
    whole = [path for path in place.iterdir() if path.is_dir() and path.suffix != ".part"]
    assert 1 <= len(whole) < 8 and all((path / "facts.json").is_file() for path in whole)
    prepared = []
    original = Preparation.prepare
    monkeypatch.setattr(Preparation, "prepare", lambda self, task: prepared.append(task.image) or original(self, task))
    found = opened(corpus, tmp_path / "cache")
    assert len(found) == 8 and len(prepared) <= 8 - len(whole)
    assert not list(place.glob("*.part"))
    assert all(np.array_equal(found.hounsfield(number), values_of(number)) for number in range(8))


def test_two_builders_at_once_prepare_each_volume_once(tmp_path):
    corpus = write(tmp_path / "data", 5)
    context = multiprocessing.get_context("fork")
    pair = [context.Process(target=build, args=(corpus, tmp_path / "cache", slow)) for _ in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join(60)
    assert [process.exitcode for process in pair] == [0, 0]
    (index,) = (tmp_path / "cache").rglob("index.jsonl")
    names = [json.loads(line)[0] for line in index.read_text().splitlines() if line]
    assert len(names) == len(set(names)) == 5
    assert len(opened(corpus, tmp_path / "cache")) == 5


def test_equal_files_share_one_entry(tmp_path):
    image = save_nifti(tmp_path / "a.nii.gz", values_of(0), ras_affine(SPACING))
    copy = tmp_path / "b.nii.gz"
    copy.write_bytes(image.read_bytes())
    records = tuple(Record(str(path), path.name, "train", "toy") for path in (image, copy))
    found = opened(Corpus("toy", records), tmp_path / "cache", workers=2)
    assert len(found) == 2 and len(stamps(tmp_path / "cache")) == 1
    assert Task(str(image)).content() == Task(str(copy)).content() != Task(str(image), str(copy)).content()


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_the_voxels_beside_a_detached_header_count(tmp_path, suffix):
    """Two headers of one text are two volumes, and what is written into their voxels is noticed."""
    records = []
    for number in range(2):
        folder = tmp_path / f"p{number}"
        folder.mkdir()
        values_of(number).tofile(folder / "image.raw")
        (folder / f"image{suffix}").write_text(detached(suffix, "image.raw"))
        records.append(Record(str(folder / f"image{suffix}"), f"p{number}", "train", "toy"))
    corpus = Corpus("toy", tuple(records))
    found = opened(corpus, tmp_path / "cache")
    for number in range(2):
        assert np.array_equal(found.hounsfield(number), values_of(number))
    values_of(7).tofile(tmp_path / "p1" / "image.raw")
    assert np.array_equal(opened(corpus, tmp_path / "cache").hounsfield(1), values_of(7))
    (tmp_path / "p0" / f"image{suffix}").write_text(detached(suffix, "LIST"))
    refused = opened(corpus, tmp_path / "cache").quarantine
    assert len(refused) == 1 and "its voxels are said to be in LIST" in refused[0].reason


def detached(suffix, place):
    depth, height, width = SHAPE
    dz, dy, dx = SPACING
    if suffix == ".mhd":
        lines = ["ObjectType = Image", "NDims = 3", f"DimSize = {width} {height} {depth}", "ElementType = MET_SHORT"]
        lines += [f"ElementSpacing = {dx} {dy} {dz}", "TransformMatrix = 1 0 0 0 1 0 0 0 1", "Offset = 0 0 0"]
        return "\n".join([*lines, "ElementByteOrderMSB = False", f"ElementDataFile = {place}"]) + "\n"
    lines = ["NRRD0004", "type: short", "dimension: 3", "space: left-posterior-superior", "endian: little"]
    lines += [f"sizes: {width} {height} {depth}", f"space directions: ({dx},0,0) (0,{dy},0) (0,0,{dz})"]
    return "\n".join([*lines, "encoding: raw", f"data file: {place}"]) + "\n"
