import json

import numpy as np
import pytest
from pictures import by_name, save_grey

from common.files import DatasetError
from common.files.errors import SharedPatients
from common.images import read_mask
from common.readers import read
from common.readers.cxr.vindr_ribcxr import RIBS

SIZE = (40, 30)


def table(split, count):
    """Rib R<n> is a bar of rows from 2n; L2 is missing in image 0."""
    names = {str(n): f"data/{split}/img/VinDr_RibCXR_{split}_{n:03}.png" for n in range(count)}
    content = {"img": names}
    for side, left in (("R", 3.0), ("L", 18.0)):
        for rib in range(1, 11):
            corners = [(2.0 * rib, left), (2.0 * rib, left + 8.5), (2.0 * rib + 3, left + 8.5), (2.0 * rib + 3, left)]
            content[f"{side}{rib}"] = {index: [{"x": x, "y": y} for y, x in corners] for index in names}
    if names:
        content["L2"]["0"] = "None"
    return content


def write(root, folder="data", annotations="data", train=10, val=2):
    for split, count in (("train", train), ("val", val)):
        for number in range(count):
            save_grey(root / folder / split / "img" / f"VinDr_RibCXR_{split}_{number:03}.png", number, SIZE)
        place = root / annotations / split
        place.mkdir(parents=True, exist_ok=True)
        (place / f"Vindr_RibCXR_{split}_mask.json").write_text(json.dumps(table(split, count)))
    return root


def change(root, **changes):
    path = next(root.rglob("Vindr_RibCXR_train_mask.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("folder", "annotations"), [("data", "data"), ("VinDr-RibCXR_Dataset/data", "VinDr-RibCXR_Dataset/Annotations")]
)
def test_ribs_are_masks_of_their_own(tmp_path, folder, annotations):
    corpus = read("vindr_ribcxr", write(tmp_path, folder, annotations))
    assert corpus.structures == tuple(RIBS.values())
    assert corpus.structures[::10] == ("rib_right_1", "rib_left_1") and corpus.structures[9] == "rib_right_10"
    record = by_name(corpus)["VinDr_RibCXR_train_000.png"]
    masks = {structure: read_mask(path) for structure, path in record.masks.items()}
    expected = np.zeros(SIZE, np.uint8)
    expected[6:9, 3:11] = 1  # columns 3 to 11.5: the centre of the last, 11.5, is not before the edge
    assert (masks["rib_right_3"] == expected).all()
    assert (masks["rib_right_2"] & masks["rib_right_3"]).any()  # they overlap
    assert masks["rib_left_1"].any() and not masks["rib_left_2"].any() and masks["rib_left_2"].shape == SIZE
    assert len(masks) == 20


def test_the_publishers_validation_images_test(tmp_path):
    corpus = read("vindr_ribcxr", write(tmp_path))
    records = by_name(corpus)
    splits = [record.split for record in corpus.records]
    assert (splits.count("train"), splits.count("val"), splits.count("test")) == (9, 1, 2)
    assert records["VinDr_RibCXR_val_000.png"].split == "test"
    assert "10 train images here, 196 published" in corpus.notices


def test_images_that_are_missing_damaged_or_strange(tmp_path):
    write(tmp_path)
    folder = tmp_path / "data" / "train" / "img"
    (folder / "VinDr_RibCXR_train_001.png").unlink()
    (folder / "VinDr_RibCXR_train_002.png").write_bytes(b"damaged")
    save_grey(folder / "figure.png")
    corpus = read("vindr_ribcxr", tmp_path)
    text = "\n".join(corpus.notices)
    assert "1 images of the tables are not here (VinDr_RibCXR_train_001)" in text
    assert "1 images lose masks" in text and "VinDr_RibCXR_train_002.png: not an image" in text
    assert "1 images are in no table and left out (data/train/img/figure.png)" in text
    assert by_name(corpus)["VinDr_RibCXR_train_002.png"].masks == {}


FAR = [{"x": 100.0, "y": 3.0}, {"x": 120.0, "y": 3.0}, {"x": 110.0, "y": 9.0}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"R11": {}}, "unknown rib 'R11'"),
        ({"R1": "None"}, r"the rib R1 has outlines of other images than 'img' lists \(nothing\)"),
        ({"R4": {**table("train", 10)["R4"], "99": FAR}}, r"the rib R4 has outlines of other images .*'99'"),
        ({"L9": {**table("train", 10)["L9"], "3": FAR[:2]}}, r"L9 of VinDr_RibCXR_train_003: .*2 points"),
        ({"L9": {**table("train", 10)["L9"], "3": "none"}}, r"L9 of VinDr_RibCXR_train_003: it is no outline"),
        ({"L9": {**table("train", 10)["L9"], "3": FAR}}, r"L9 of VinDr_RibCXR_train_003: an outline .* of 40 x 30"),
        ({"img": []}, "no dictionary 'img'"),
    ],
)
def test_bad_outlines(tmp_path, changes, message):
    change(write(tmp_path), **changes)
    with pytest.raises(DatasetError, match=message):
        read("vindr_ribcxr", tmp_path)


def test_an_image_in_both_files(tmp_path):
    write(tmp_path)
    path = next(tmp_path.rglob("Vindr_RibCXR_val_mask.json"))
    path.write_text(path.read_text().replace("VinDr_RibCXR_val_001", "VinDr_RibCXR_train_001"))
    with pytest.raises(SharedPatients, match="VinDr_RibCXR_train_001 is there twice"):
        read("vindr_ribcxr", tmp_path)


def test_files_that_are_not_there(tmp_path):
    write(tmp_path)
    next(tmp_path.rglob("Vindr_RibCXR_val_mask.json")).unlink()
    assert any(
        "val_mask.json is missing: no test images" in notice for notice in read("vindr_ribcxr", tmp_path).notices
    )
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    with pytest.raises(DatasetError, match="none of the 10 images of the tables is in it"):
        read("vindr_ribcxr", tmp_path)
    next(tmp_path.rglob("Vindr_RibCXR_train_mask.json")).unlink()
    with pytest.raises(DatasetError, match="neither Vindr_RibCXR_train_mask"):
        read("vindr_ribcxr", tmp_path)
