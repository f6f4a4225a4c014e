import logging

import numpy as np
import pytest
from PIL import Image

from common.files import DatasetError
from common.phantom import write_phantom
from common.readers import read, read_probe

OPTIONS = {"val_fraction": 0.25, "test_fraction": 0.0}


@pytest.fixture
def images(tmp_path, monkeypatch):
    """A folder of images, and a working directory without a phantom."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 255, (20, 20), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_without_a_phantom_the_images_held_out_are_looked_at(images, caplog):
    caplog.set_level(logging.INFO)
    probe = read_probe("chestxray14", None, {}, ("folder", str(images), OPTIONS))
    held_out = read("folder", images, **OPTIONS).subset("val")
    assert [record.image for record in probe.records] == [record.image for record in held_out.records]
    assert "looks at val images" in caplog.text and "make_phantom.py data/phantom" in caplog.text


@pytest.mark.parametrize(
    ("options", "counted"),
    [(OPTIONS, "6 train, 2 val, 0 test"), ({"val_fraction": 0.0, "test_fraction": 0.0}, "8 images")],
)
def test_what_is_read_is_counted_by_split_where_there_are_several(images, caplog, options, counted):
    caplog.set_level(logging.INFO)
    read("folder", images, **options)
    assert caplog.messages == [f"Read images in {images}: {counted}."]


def test_where_all_are_trained_on_these_are_looked_at(images):
    options = {"val_fraction": 0.0, "test_fraction": 0.0}
    assert len(read_probe("chestxray14", None, {}, ("folder", str(images), options))) == 8


def test_a_phantom_where_the_readme_makes_it_is_taken_and_told(images, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    write_phantom(tmp_path / "data" / "phantom", count=12, size=64, seed=0, workers=1)
    probe = read_probe("chestxray14", None, {}, ("folder", str(images), OPTIONS))
    assert probe.name == "phantom_chestxray14" and probe.landmarks
    assert {record.split for record in probe.records} == {"test"}
    told = f"looks at the {len(probe)} test images of phantom_chestxray14 in data/phantom, since `probe_dir`"
    assert told in caplog.text
    caplog.clear()
    read_probe("chestxray14", None, {}, ("chestxray14", "data/phantom", {}))
    assert "looks at" not in caplog.text  # which is what is trained on
    assert f"Read phantom_chestxray14 in data/phantom for the probe: {len(probe)} test." in caplog.text
    assert len(read_probe("chestxray14", None, {}, ("folder", str(images), OPTIONS), split=None)) == 12


def test_a_folder_that_was_named_must_be_there(images):
    with pytest.raises(DatasetError, match="no such folder"):
        read_probe("chestxray14", "nowhere", {}, ("folder", str(images), OPTIONS))
