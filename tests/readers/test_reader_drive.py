import numpy as np
import pytest
from pictures import by_name, save_grey
from PIL import Image

from common.files import DatasetError
from common.images import read_image, read_mask
from common.readers import read
from common.readers.inspection import inspect
from common.readers.recognition import the_one

SIZE = (12, 10)  # published: (584, 565)


def write_gif(path, seed, palette=None):
    """White on black, grey or by a palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bits = np.random.default_rng(seed).integers(0, 2, SIZE, np.uint8)
    if palette is None:
        Image.fromarray(bits * 255).save(path)
    else:
        image = Image.fromarray(bits, "P")
        image.putpalette(palette)
        image.save(path)
    return bits


def write(root, manuals=True):
    for split, numbers in (("training", range(21, 24)), ("test", range(1, 4))):
        for number in numbers:
            name = f"{number:02}"
            save_grey(root / split / "images" / f"{name}_{split}.tif", number, SIZE, colours=3)
            write_gif(root / split / "mask" / f"{name}_{split}_mask.gif", number)
            if split == "training" or manuals:
                write_gif(root / split / "1st_manual" / f"{name}_manual1.gif", 100 + number)
            if split == "test" and manuals:
                write_gif(root / split / "2nd_manual" / f"{name}_manual2.gif", 200 + number)
    return root


@pytest.fixture
def root(tmp_path):
    return write(tmp_path / "DRIVE")


def test_files_of_a_number_belong_together(root):
    corpus = read("drive", root, val_fraction=0.0)
    records = by_name(corpus)
    assert corpus.structures == ("vessel", "vessel_second_observer", "field_of_view") and len(records) == 6
    assert {name: record.split for name, record in records.items()} == {
        **{f"{number}_training.tif": "train" for number in (21, 22, 23)},
        **{f"0{number}_test.tif": "test" for number in (1, 2, 3)},
    }
    train, test = records["22_training.tif"], records["02_test.tif"]
    assert set(train.masks) == {"vessel", "field_of_view"} and set(test.masks) == set(corpus.structures)
    for structure, seed in (("vessel", 102), ("vessel_second_observer", 202), ("field_of_view", 2)):
        expected = np.random.default_rng(seed).integers(0, 2, SIZE, np.uint8)
        assert np.array_equal(read_mask(test.masks[structure], foreground=255), expected)
    assert read_image(train.image, 3).shape == (3, *SIZE) and the_one(root) == "drive"


def test_palettes_of_any_order_are_white_vessels(root):
    path = root / "test" / "1st_manual" / "01_manual1.gif"
    bits = write_gif(path, 5, palette=[0, 0, 0, 255, 255, 255])
    assert np.array_equal(read_mask(path, foreground=255), bits)
    bits = write_gif(path, 5, palette=[255, 255, 255, 0, 0, 0])
    assert np.array_equal(read_mask(path, foreground=255), 1 - bits)


def test_the_present_archive_has_no_vessels_of_the_test_images(tmp_path):
    corpus = read("drive", write(tmp_path, manuals=False), val_fraction=0.0)
    assert corpus.structures == ("vessel", "field_of_view")
    assert all(("vessel" in record.masks) == (record.split == "train") for record in corpus.records)
    assert any("3 images have no mask of vessels (test/images/01_test.tif" in notice for notice in corpus.notices)


def test_validation_is_drawn_from_training_images(root):
    corpus = read("drive", root, val_fraction=0.34)
    assert sorted(record.split for record in corpus.records) == ["test"] * 3 + ["train"] * 2 + ["val"]


def test_what_does_not_belong_is_named(root, tmp_path):
    save_grey(root / "test" / "images" / "poster.tif")
    (root / "test" / "images" / "03_test.tif").unlink()
    (root / "test" / "images" / "01_test.tif").write_bytes(b"II*\0cut")
    corpus = read("drive", root)
    text = "\n".join(corpus.notices)
    assert "3 masks belong to no image here (03_manual1.gif, 03_manual2.gif, 03_test_mask.gif)" in text
    assert "poster.tif" in text and "01_test.tif" in inspect(by_name(corpus)["01_test.tif"]).problems[0]
    save_grey(root / "training" / "images" / "01_training.tif")
    with pytest.raises(DatasetError, match="the image 01 is in training and test"):
        read("drive", root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"named like 21_training\.tif"):
        read("drive", tmp_path / "empty")
