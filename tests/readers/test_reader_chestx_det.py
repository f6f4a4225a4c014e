import json
from collections import Counter

import numpy as np
import pytest
from pictures import by_name, save_grey

from common.files import DatasetError
from common.files.errors import SharedPatients
from common.images import read_mask
from common.readers import read
from common.readers.cxr._chestx_det_files import read_entries
from common.readers.cxr.chestx_det import FINDINGS, STRUCTURES

SQUARE = [[100, 200], [300, 200], [300, 400], [100, 400]]  # x, y
ROOF = [[512, 0], [1024, 512], [0, 512]]


def entry(name, *annotations, **changes):
    """Findings with their polygons; boxes are the bounds."""
    bounds = [[*map(min, zip(*points, strict=True)), *map(max, zip(*points, strict=True))] for _, points in annotations]
    parts = {"syms": [finding for finding, _ in annotations], "boxes": bounds}
    return {"file_name": name, **parts, "polygons": [points for _, points in annotations], **changes}


TRAIN = [
    entry("36200.png"),
    entry("36201.png", ("Diffuse Nodule", SQUARE), ("Effusion", ROOF), ("Effusion", SQUARE)),
    *(entry(f"3621{number}.png", ("Mass", SQUARE)) for number in range(8)),
]
TEST = [entry("38000.png", ("Calcification", [[700, 500], [704, 500], [704, 506], [700, 506]]))]


def write(root, train=TRAIN, test=TEST):
    for folder, entries in (("train_data", train), ("test_data", test)):
        for number, item in enumerate(entries):
            save_grey(root / folder / item["file_name"], number, (16, 16))
    (root / "ChestX_Det_train.json").write_text(json.dumps(train))
    (root / "ChestX_Det_test.json").write_text(json.dumps(test))
    return root


def test_labels_boxes_and_the_official_split(tmp_path):
    corpus = read("chestx_det", write(tmp_path))
    records = by_name(corpus)
    assert corpus.findings == FINDINGS == tuple(sorted(FINDINGS)) and len(FINDINGS) == 13
    positive = {name: [f for f, value in zip(FINDINGS, r.labels, strict=True) if value] for name, r in records.items()}
    assert positive["36200.png"] == [] and positive["36201.png"] == ["Diffuse Nodule", "Effusion"]
    first, *_ = records["36201.png"].boxes
    assert (first.finding, first.top, first.left) == ("Diffuse Nodule", 200 / 1024, 100 / 1024)
    assert (first.bottom, first.right) == (400 / 1024, 300 / 1024)
    splits = Counter(record.split for record in corpus.records)
    assert splits == {"train": 9, "val": 1, "test": 1} and records["38000.png"].split == "test"
    assert "11 images here, 3,578 published" in corpus.notices and "1 test images here, 553 published" in corpus.notices


def test_masks_of_each_finding_and_of_all(tmp_path):
    corpus = read("chestx_det", write(tmp_path))
    masks = {name: read_mask(path) for name, path in by_name(corpus)["36201.png"].masks.items()}
    assert tuple(masks) == corpus.structures == tuple(STRUCTURES) and len(masks) == 14
    square, roof = np.zeros((1024, 1024), bool), np.zeros((1024, 1024), bool)
    square[200:400, 100:300] = True
    for row in range(512):  # centres between the two slopes
        roof[row, 511 - row : 513 + row] = True
    assert (masks["diffuse_nodule"] == square).all()
    assert abs(masks["effusion"].astype(int) - (square | roof)).sum() <= 1024  # of a slope's own pixels either will do
    assert (masks["disease"] == masks["effusion"]).all()
    assert not masks["pneumothorax"].any() and masks["pneumothorax"].shape == (1024, 1024)  # known to be absent
    healthy = by_name(corpus)["36200.png"].masks
    assert len(healthy) == 14 and set(healthy.values()) == {f"{tmp_path}/drawn_masks/chestx_det/empty/1024x1024.png"}
    assert read("chestx_det", tmp_path) == corpus


def test_without_masks_nothing_is_written(tmp_path):
    corpus = read("chestx_det", write(tmp_path), masks=False)
    assert corpus.structures == () and not (tmp_path / "drawn_masks").exists()


def test_another_split_is_drawn_from_all(tmp_path):
    corpus = read("chestx_det", write(tmp_path), masks=False, official_split=False, test_fraction=0.3)
    assert Counter(record.split for record in corpus.records) == {"train": 7, "val": 1, "test": 3}
    assert not any("553 published" in notice for notice in corpus.notices)


def test_boxes_are_the_publishers_where_the_polygon_is_smaller(tmp_path):
    wide = entry("36201.png", ("Fracture", SQUARE), boxes=[[90, 190, 310, 410]])
    corpus = read("chestx_det", write(tmp_path, [wide]), masks=False)
    (box,) = by_name(corpus)["36201.png"].boxes
    assert (box.left, box.bottom) == (90 / 1024, 410 / 1024)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (entry("1.png", ("Pleural_Thickening", SQUARE)), r"entry 1: 1 has the unknown finding 'Pleural_Thickening'"),
        (entry("1.png", ("Mass", SQUARE), boxes=[]), r"entry 1: 1 has 1 findings, 0 boxes and 1 polygons"),
        (entry("1.png", ("Mass", SQUARE[:2])), r"entry 1: it is no .*polygon of 2 points"),
        ({"file_name": "1.png", "syms": [], "boxes": []}, r"entry 1: .*KeyError\('polygons'\)"),
        (entry("1.png", ("Mass", SQUARE), boxes=[[1100, 0, 1200, 9]]), r"entry 1, 1: the box .* no part inside"),
        (
            entry("1.png", ("Mass", [[1100, 0], [1200, 0], [1200, 9]]), boxes=[[0, 0, 9, 9]]),
            r"ChestX_Det_train\.json, entry 1: an outline .* outside the image of 1024 x 1024",
        ),
        (TRAIN[0], "36200 is there twice"),
    ],
)
def test_what_a_table_may_not_say(tmp_path, item, message):
    write(tmp_path, [TRAIN[0], item])
    with pytest.raises(DatasetError, match=message):
        read("chestx_det", tmp_path)


@pytest.mark.parametrize("text", ["null", "{}", "7", '"x"'])
def test_json_of_another_form_is_named(tmp_path, text):
    write(tmp_path)
    (tmp_path / "ChestX_Det_train.json").write_text(text)
    with pytest.raises(DatasetError, match=r"ChestX_Det_train\.json: it is JSON, and no list of entries"):
        read("chestx_det", tmp_path)


def test_an_image_in_both_splits(tmp_path):
    write(tmp_path, TRAIN, [*TEST, TRAIN[0]])
    with pytest.raises(SharedPatients, match="1 images are in the other split too, such as 36200"):
        read("chestx_det", tmp_path)


def test_missing_files_and_others(tmp_path):
    write(tmp_path)
    (tmp_path / "train_data" / "36210.png").unlink()
    (tmp_path / "train_data" / "36211.png").write_bytes(b"damaged")  # its store says so
    save_grey(tmp_path / "train_binary_mask" / "36200.png", 99)  # others' masks have the images' names
    save_grey(tmp_path / "figure.png")
    (tmp_path / "ChestX_Det_test.json").unlink()
    corpus = read("chestx_det", tmp_path)
    text = "\n".join(corpus.notices)
    assert "ChestX_Det_test.json is missing: no test images" in text and "1 images of the tables are not here" in text
    assert "2 images are in no table and left out (figure.png, test_data/38000.png)" in text
    assert by_name(corpus)["36200.png"].image == f"{tmp_path}/train_data/36200.png" and len(corpus) == 9
    (tmp_path / "ChestX_Det_train.json").unlink()
    with pytest.raises(DatasetError, match=r"none of ChestX_Det_train\.json, ChestX_Det_test\.json"):
        read("chestx_det", tmp_path)


@pytest.mark.real
@pytest.mark.parametrize(
    ("split", "images", "without", "annotations", "counts"),
    [
        ("train", 3_025, 547, 7_905, {"Consolidation": 1349, "Effusion": 1185, "Diffuse Nodule": 133, "Mass": 115}),
        ("test", 553, 64, 1_734, {"Consolidation": 293, "Effusion": 256, "Diffuse Nodule": 36, "Mass": 33}),
    ],
)
def test_the_published_tables(cxr_data, split, images, without, annotations, counts):
    path = cxr_data / "label_files" / f"ChestX_Det_{split}.json"
    entries = read_entries(path, split, FINDINGS, True)
    assert len(entries) == images and sum(not entry.findings for entry in entries.values()) == without
    assert sum(len(entry.findings) for entry in entries.values()) == annotations
    assert {f: sum(f in entry.findings for entry in entries.values()) for f in counts} == counts
