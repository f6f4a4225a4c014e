"""The same bytes in the folders of two splits or two classes."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from common.files import DatasetError
from common.readers import read


def image(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (8, 8), np.uint8)).save(path)
    return path


@pytest.mark.parametrize("name", ["0.png", "other.png"])
def test_the_same_bytes_in_two_splits_are_said(tmp_path, name):
    first = image(tmp_path / "train" / "0.png")
    (tmp_path / "val").mkdir()
    shutil.copy(first, tmp_path / "val" / name)
    image(tmp_path / "test" / "0.png", 1)
    notices = "\n".join(read("folder", tmp_path).notices)
    assert f"1 images are in several splits, in files of the same bytes (train/0.png, val/{name})" in notices


def test_the_same_bytes_in_two_classes_are_refused(tmp_path):
    first = image(tmp_path / "sick" / "0.png")
    image(tmp_path / "well" / "0.png", 1)
    assert len(read("folder", tmp_path, classes=["well", "sick"])) == 2
    shutil.copy(first, tmp_path / "well" / "1.png")
    with pytest.raises(DatasetError, match=r"several classes \(sick/0\.png, well/1\.png\)"):
        read("folder", tmp_path, classes=["well", "sick"])
    assert len(read("folder", tmp_path)) == 3
    for place in ("sick/0.png", "well/1.png"):
        (tmp_path / place).write_bytes(b"")  # cut off, which a store says
    assert len(read("folder", tmp_path, classes=["well", "sick"])) == 3


def test_coco_without_ids_of_annotations(tmp_path):
    image(tmp_path / "0.png")
    content = {"categories": [{"id": 1, "name": "M"}]}
    content["images"] = [{"id": 1, "file_name": "0.png", "width": 8, "height": 8}]
    content["annotations"] = [{"image_id": 1, "category_id": 1, "bbox": [2, 0, 4, 8]}]
    (tmp_path / "c.json").write_text(json.dumps(content))
    (box,) = read("folder", tmp_path, boxes="c.json").records[0].boxes
    assert (box.finding, box.top, box.left, box.bottom, box.right) == ("M", 0.0, 0.25, 1.0, 0.75)
    content["annotations"][0]["bbox"][0] = 900
    (tmp_path / "c.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="annotation number 0"):
        read("folder", tmp_path, boxes="c.json")
