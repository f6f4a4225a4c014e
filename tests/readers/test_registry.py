"""A data set is one file: whatever knows data sets finds it there, and it says what its users have to know."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import common.readers
from common.files import DatasetError
from common.overlay_readers import told_by_overlays
from common.readers import find_reader, read, reader_modules
from common.readers.recognition import the_one

ROOT = Path(__file__).parents[2]
TOY = '''
"""Toy data, 3 images, one patient each, drawn split, CC0."""
from pathlib import Path

from ...files.notices import add_notice
from ...records import Record
from ..registry import reader
from ..support.finish import finish
from ..support.publication import Publication

PUBLICATION = Publication("toy_set", "Toy data", "https://toy.example", "CC0", "Toy et al.", images=3, volumes=VOLUMES)


@reader(PUBLICATION, layout_root=lambda root: root / "scans")
def read(root, suffix=".png", val_fraction=0.0, test_fraction=0.34, seed=0):
    """Read it."""
    add_notice("seen by the toy")
    files = sorted(Path(root).resolve().glob(f"*{suffix}"))
    records = [Record(str(path), path.stem, "train", "toy_set", labels=(1.0,)) for path in files]
    return finish(
        PUBLICATION, records, findings=["toy"], test_fraction=test_fraction, val_fraction=val_fraction, seed=seed
    )
'''
# Runs a script of the repository in a process whose readers have one more room.
RUN = """
import runpy, sys
import common.readers
common.readers.__path__.append(sys.argv[1])
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def rooms(tmp_path):
    """A folder with one more room of readers, in which one file is all there is of a data set."""
    room = tmp_path / "rooms" / "toys"
    room.mkdir(parents=True)
    (room / "__init__.py").write_text("")
    (room / "toy_set.py").write_text(TOY.replace("VOLUMES", "False"))
    (room / "_help.py").write_text("raise AssertionError('helps a reader, and is none')")
    return room.parent


@pytest.fixture
def toy(rooms, monkeypatch):
    """In this process, too."""
    monkeypatch.setattr(common.readers, "__path__", [*common.readers.__path__, str(rooms)])
    yield rooms / "toys" / "toy_set.py"
    for name in [name for name in sys.modules if name.startswith("common.readers.toys")]:
        del sys.modules[name]


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(3):
        values = np.random.default_rng(number).integers(0, 255, (8, 8), np.uint8)
        Image.fromarray(values).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def run(rooms, tmp_path, python):
    """Run a script of the repository where the readers have one more room."""
    (tmp_path / "run.py").write_text(RUN)
    return lambda script, *words: python(tmp_path / "run.py", rooms, ROOT / "scripts" / script, *words)


def test_one_file_is_a_data_set(toy, images):
    assert reader_modules()["toy_set"] == "common.readers.toys.toy_set" and "_help" not in reader_modules()
    assert list(reader_modules()) == sorted(reader_modules())
    corpus = read("toy_set", images)
    assert corpus.name == "toy_set" and corpus.findings == ("toy",)
    assert sorted(record.split for record in corpus.records) == ["test", "train", "train"]
    assert corpus.notices == (
        "seen by the toy",
        "34.0% of the patients drawn as test with seed 0: there is no official split",
    )
    found = find_reader("toy_set")
    assert found.publication.licence == "CC0" and found.layout_root(images) == images / "scans"


def test_its_options_are_those_of_its_function(toy, images):
    assert find_reader("toy_set").options == ("suffix", "val_fraction", "test_fraction", "seed")
    assert len(read("toy_set", images, suffix=".jpg")) == 0
    with pytest.raises(DatasetError, match=r"'toy_set' has no option 'sufix'\. Did you mean 'suffix'\? .*split_file"):
        read("toy_set", images, sufix=".jpg")
    with pytest.raises(DatasetError, match=r"no reader 'toyset'\. Did you mean 'toy_set'"):
        read("toyset", images)


def test_an_overlay_in_place_of_a_reader_tells_its_reader(images):
    with pytest.raises(DatasetError, match=r"'lung_masks' is an overlay of image_segmentation, whose reader is folder"):
        read("lung_masks", images)
    with pytest.raises(DatasetError, match=r"whose reader is folder with the options \{name: lung_masks, images"):
        the_one("lung_masks")
    with pytest.raises(DatasetError, match=r"give its folder after it, `kermany FOLDER`"):
        the_one("kermany")  # a reader before an overlay of that name


def test_overlays_of_an_exported_bundle_or_a_probe(tmp_path):
    assert told_by_overlays("mine", tmp_path / "nothing") is None
    probe = tmp_path / "cxr" / "configs" / "probe" / "mine.yaml"
    probe.parent.mkdir(parents=True)
    probe.write_text("probe_dataset: jsrt\nprobe_options: {seed: 3}\n")
    assert "overlay of cxr, whose reader is jsrt with the options {seed: 3}" in told_by_overlays("mine", tmp_path)


def test_commands_know_it(rooms, images, run):
    (rooms / "toys" / "toy_volumes.py").write_text(TOY.replace("VOLUMES", "True").replace("toy_set", "toy_volumes"))
    done = run("check_data.py", "toy_set", images, "--workers", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    for line in ("toy_set: 3 images of 3 patients", "Toy data is obtained from https://toy.example", "licence: CC0"):
        assert line in done.stdout
    assert "official split: none" in done.stdout and "No problems found." in done.stdout
    told = run("build_store.py", "--help")
    assert re.search(r"one of .*\btoy_set\b", " ".join(told.stdout.split())), told.stdout + told.stderr
    told = run("segment_ct.py", "--help").stdout  # of volumes alone
    assert "toy_volumes" in told and "ct_rate" in told and "toy_set" not in told and "eyepacs" not in told


def test_a_file_and_its_publication_have_one_name(toy):
    toy.with_name("toys_set.py").write_text(toy.read_text())
    with pytest.raises(ValueError, match=r"toys_set\.py is named 'toy_set'"):
        find_reader("toys_set")


def test_names_are_found_without_what_readers_need():
    program = """
import sys, common.readers
before = set(sys.modules)
assert len(common.readers.reader_modules()) > 6
assert not [name for name in set(sys.modules) - before if name.startswith("common.")]
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_no_name_is_there_twice():
    rooms = (path for path in (ROOT / "common" / "readers").iterdir() if path.is_dir() and path.name != "support")
    files = [path.stem for room in rooms for path in room.glob("[!_]*.py")]
    assert sorted(files) == list(reader_modules())


@pytest.mark.parametrize("name", reader_modules())
def test_a_reader_says_what_its_users_have_to_know(name):
    module, facts = import_module(reader_modules()[name]), find_reader(name).publication
    assert all((facts.title, facts.where, facts.licence, facts.citation, facts.files))
    assert list((ROOT / "tests" / "readers").rglob(f"test_reader_{name}.py")), "it has no test"
    if facts.images is None:  # nobody's: the user's own
        return
    text = " ".join(module.__doc__.split())
    assert f"{facts.images:,}" in text, "its size"
    assert all(f"{count:,}" in text for count in facts.splits.values()), "its split"
    assert re.search(r"training\b.*test", text), "its split"
    assert re.search(r"\b(use|licen[cs]e|CC|research|on request)\b", text, re.IGNORECASE), "its licence"
