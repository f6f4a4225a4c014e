"""Killed, shared between processes, and with volumes that cannot be segmented."""

import json
import multiprocessing
import os
import signal
import sys
import time

import numpy as np
import pytest
from ct_files import index_volume, save_nifti
from script_main import script_main

from common.readers import read

SHAPE = (6, 8, 10)


@pytest.fixture
def root(tmp_path):
    """Five volumes whose brightest voxel is 100 to 500 HU."""
    for number in range(1, 6):
        values = np.minimum(index_volume(SHAPE), 100 * number)
        values[0, 0, 0] = 100 * number
        save_nifti(tmp_path / "data" / f"v{number}.nii.gz", values)
    return tmp_path / "data"


def run(root, *words):
    return script_main("segment_ct")([str(root), str(root.parent / "masks"), *map(str, words)])


def start(root):
    process = multiprocessing.get_context("fork").Process(target=lambda: sys.exit(run(root)))
    process.start()
    return process


def maps(root):
    return sorted(path.name for path in (root.parent / "masks").glob("*.nii.gz"))


def test_killed_in_the_middle_it_goes_on(root, standin):
    standin.pause = 1.0
    process = start(root)
    limit = time.monotonic() + 120
    while len(maps(root)) < 2 or len(standin.journal()) < 3:
        assert time.monotonic() < limit and process.is_alive()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    done = {name: (root.parent / "masks" / name).stat().st_mtime_ns for name in maps(root)}
    (root.parent / "masks" / ".v3.nii.gz.part").write_bytes(b"\x1f\x8b half")
    assert list(done) == ["v1.nii.gz", "v2.nii.gz"] and standin.journal() == [100, 200, 300]
    assert sum(r.label_map is not None for r in read("ct_folder", root, masks=str(root.parent / "masks")).records) == 2
    standin.pause = 0.0
    assert run(root) == 0
    assert standin.journal() == [100, 200, 300, 300, 400, 500] and len(maps(root)) == 5
    assert all((root.parent / "masks" / name).stat().st_mtime_ns == moment for name, moment in done.items())
    assert not list((root.parent / "masks").glob(".*.part"))
    assert not [path for path in (root.parent / "masks" / ".locks").iterdir() if path.name.startswith("v")]
    assert run(root) == 0 and len(standin.journal()) == 6


def test_two_processes_share_the_work(root, standin, capfd):
    standin.pause = 0.5
    processes = [start(root) for _ in range(2)]
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(standin.journal()) == [100, 200, 300, 400, 500] and len(maps(root)) == 5
    lines = (root.parent / "journal").read_text().split()[::2]
    assert len(set(lines)) == 2  # neither did it alone


def test_what_fails_is_listed_and_the_others_go_on(root, standin, capsys):
    corrupt, air = root / "v2.nii.gz", root / "v4.nii.gz"
    whole = corrupt.read_bytes()
    corrupt.write_bytes(whole[:-20])
    save_nifti(air, np.full(SHAPE, -1000, np.int16))
    standin.fails_at = (500,)
    assert run(root) == 1
    out = capsys.readouterr().out
    assert maps(root) == ["v1.nii.gz", "v3.nii.gz"] and "2 made, 0 there or in other hands, 3 failed" in out
    listed = json.loads((root.parent / "masks" / "failures.json").read_text())
    assert [path.rpartition("/")[2] for path in listed] == ["v2.nii.gz", "v4.nii.gz", "v5.nii.gz"]
    for reason, told in zip(listed.values(), ("gzip data are cut", "air|every voxel", "out of memory"), strict=True):
        assert any(part in reason for part in told.split("|")) and reason in out
    corrupt.write_bytes(whole)
    standin.fails_at = ()
    assert run(root) == 1  # the volume of air stays what it is
    assert list(json.loads((root.parent / "masks" / "failures.json").read_text())) == [str(air)]
    assert standin.journal() == [100, 300, 500, 200, 500]
    save_nifti(air, index_volume(SHAPE))
    assert run(root) == 0 and not (root.parent / "masks" / "failures.json").exists()


def test_a_full_disk_stops_it(root, standin, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("common.segmenters.run.write_nifti", full)
    assert run(root) == 2
    assert "No space left" in capsys.readouterr().err and standin.journal() == [100]


def test_what_cannot_be_asked(root, standin, monkeypatch, capsys):
    def refused(*words):
        assert run(root, *words) == 2
        return capsys.readouterr().err

    assert "Did you mean 'liver'" in refused("--structures", "livre")
    assert "none of them twice" in refused("--structures", "liver,liver")
    assert "--limit is 0" in refused("--limit", 0)
    assert "--device is abacus" in refused("--device", "abacus")
    assert "belong together" in refused("--backend", "bundle")
    assert run(root, "--limit", 1) == 0 and maps(root) == ["v1.nii.gz"]
    capsys.readouterr()
    assert "structures was" in (text := refused("--structures", "liver")) and "name another folder" in text
    (root / "v1.nii").write_bytes(b"")
    assert "v1.nii.gz: v1.nii or v1.nii.gz" in refused()  # whose map is the one that is there?
    (root.parent / "masks" / "v1.nii.gz").unlink()
    assert "belong to several volumes" in refused()
    (root / "v1.nii").unlink()
    monkeypatch.setitem(sys.modules, "totalsegmentator.map_to_binary", None)
    assert "pip install -r requirements-segmentation.txt" in refused()
    assert "no such folder" in (script_main("segment_ct")([str(root / "nowhere"), "x"]), capsys.readouterr().err)[1]
