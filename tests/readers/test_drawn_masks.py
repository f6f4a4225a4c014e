"""Masks are drawn once, again when something changed, and never in part."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from common.files import DatasetError
from common.files.notices import collect_notices
from common.images import read_mask
from common.readers.support.drawn_masks import DrawnMasks
from common.readers.support.shapes import MaskFiles, Polygons
from common.readers.support.tree import Tree

SQUARE = Polygons([[(1, 2), (1, 5), (4, 5), (4, 2)]])
TOP = Polygons([[(0, 0), (0, 8), (1, 8), (1, 0)]])


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "images" / "one.png"
    path.parent.mkdir()
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(path)
    return path


def draw(root, image, shape=SQUARE, **options):
    masks = DrawnMasks(root, "toys", **options)
    masks.add(image, "heart", shape)
    return masks.draw()[image].get("heart")


def times(root):
    return {path.name: path.stat().st_mtime_ns for path in root.rglob("*.png") if "images" not in path.parts}


def test_a_mask_is_a_file_that_reads_as_one_and_that_no_reader_takes_for_an_image(tmp_path, image):
    path = draw(tmp_path, image)
    expected = np.zeros((6, 8), np.uint8)
    expected[1:4, 2:5] = 1
    assert (read_mask(path) == expected).all()
    assert path == f"{tmp_path}/drawn_masks/toys/heart/one.png"
    assert Tree(tmp_path).images() == [image]
    assert np.asarray(Image.open(path)).max() == 1 and Image.open(path).mode == "1"  # white for a person


def test_it_is_drawn_again_only_when_something_changed(tmp_path, image):
    draw(tmp_path, image)
    before = times(tmp_path)
    draw(tmp_path, image)
    assert times(tmp_path) == before
    path = draw(tmp_path, image, TOP)  # another annotation
    assert read_mask(path)[0].all() and read_mask(path).sum() == 8
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(12, 16)).save(image)  # another image of that name
    assert read_mask(draw(tmp_path, image, TOP)).shape == (12, 16)
    (tmp_path / "drawn_masks" / "toys" / "heart" / "one.png").unlink()
    assert read_mask(draw(tmp_path, image, TOP)).any()


def test_a_joined_mask_follows_its_files(tmp_path, image):
    part = tmp_path / "left.png"
    Image.fromarray(np.eye(6, 8, dtype=bool)).save(part)
    assert read_mask(draw(tmp_path, image, MaskFiles([part]))).sum() == 6
    Image.fromarray(np.ones((6, 8), bool)).save(part)
    os.utime(part, (1, 1))
    assert read_mask(draw(tmp_path, image, MaskFiles([part]))).sum() == 48


@pytest.mark.parametrize("damage", ["{", "[1]", None])
def test_without_its_journal_everything_is_drawn_again(tmp_path, image, damage):
    draw(tmp_path, image)
    journal = tmp_path / "drawn_masks" / "toys" / "drawn.json"
    journal.unlink() if damage is None else journal.write_text(damage)
    Image.new("1", (8, 6)).save(tmp_path / "drawn_masks" / "toys" / "heart" / "one.png")
    assert read_mask(draw(tmp_path, image)).any()
    assert list(json.loads(journal.read_text())) == ["heart/one.png"]


def test_what_was_drawn_before_a_stop_stays(tmp_path, image):
    class Stop:
        facts, empty = "", False

        def size(self, image):
            return 6, 8

        def draw(self, size):
            raise KeyboardInterrupt

    masks = DrawnMasks(tmp_path, "toys")
    masks.add(image, "heart", SQUARE)
    masks.add(image, "lung", Stop())
    with pytest.raises(KeyboardInterrupt):
        masks.draw()
    before = times(tmp_path)
    draw(tmp_path, image)
    assert list(before) == ["one.png"] and times(tmp_path) == before


def test_empty_masks_of_one_size_are_one_file(tmp_path, image):
    other = image.with_name("two.png")
    other.write_bytes(image.read_bytes())
    masks = DrawnMasks(tmp_path, "toys")
    for path in (image, other):
        for structure in ("heart", "lung"):
            masks.add(path, structure, Polygons())
    found = {file for files in masks.draw().values() for file in files.values()}
    assert len(found) == 1 and read_mask(found.pop()).shape == (6, 8)


def test_images_and_parts_that_cannot_be_read_are_named(tmp_path, image):
    broken = image.with_name("broken.png")
    broken.write_bytes(image.read_bytes()[:20])
    part = tmp_path / "right.png"
    Image.fromarray(np.eye(6, 8, dtype=bool)).save(part)
    (tmp_path / "left.png").write_bytes(b"no mask")
    masks = DrawnMasks(tmp_path, "toys")
    masks.add(image, "heart", SQUARE)
    masks.add(image, "lung", MaskFiles([part, tmp_path / "left.png"]))
    masks.add(broken, "heart", SQUARE)
    with collect_notices() as notices:
        assert {path: list(files) for path, files in masks.draw().items()} == {image: ["heart"]}
    assert any("1 images lose masks" in notice and "broken.png: damaged" in notice for notice in notices)
    assert any("1 masks cannot be drawn" in notice and "left.png: not an image" in notice for notice in notices)


def test_another_folder_where_the_datas_cannot_be_written(tmp_path, image):
    (tmp_path / "drawn_masks").write_text("in the way")
    with pytest.raises(DatasetError, match=r"drawn_masks/toys: masks cannot be drawn into it .*option masks_dir"):
        draw(tmp_path, image)
    path = draw(tmp_path, image, masks_dir=f"{tmp_path}/elsewhere")
    assert path == f"{tmp_path}/elsewhere/toys/heart/one.png"
