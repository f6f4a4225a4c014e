import json

import pytest
from pictures import by_name, save_grey

from common.files import DatasetError
from common.readers import read
from common.readers.inspection import inspect
from common.readers.recognition import the_one

KINDS = ("ActiveTuberculosis", "ObsoletePulmonaryTuberculosis", "PulmonaryTuberculosis")
LISTS = {
    "train": ("health/h0001.png", "health/h0002.png", "sick/s0001.png", "tb/tb0005.png", "tb/tb0007.png"),
    "val": ("health/h0003.png", "sick/s0002.png", "tb/tb0009.png"),
}
# image -> (kind, x, y, width, height) in 512 x 512 pixels; tb0007 has two kinds
BOXES = {
    "tb/tb0005.png": [(1, 256.0, 128.0, 64.0, 32.0)],
    "tb/tb0007.png": [(1, 0.0, 0.0, 512.0, 512.0), (2, 128.0, 384.0, 128.0, 64.0)],
    "tb/tb0009.png": [(2, 1.5, 2.5, 3.0, 4.0)],
}


def coco(names, boxes=BOXES):
    images = [{"id": n, "file_name": name, "width": 512, "height": 512} for n, name in enumerate(names, 1)]
    annotations = [
        {"id": 100 * n + place, "image_id": n, "category_id": kind, "iscrowd": 0, "area": 1.0, "bbox": box}
        for n, name in enumerate(names, 1)
        for place, (kind, *box) in enumerate(boxes.get(name, ()))
    ]
    categories = [{"id": n, "name": name, "supercategory": "Tuberculosis"} for n, name in enumerate(KINDS, 1)]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories})


@pytest.fixture
def root(tmp_path):
    base = tmp_path / "TBX11K"
    (base / "lists").mkdir(parents=True)
    (base / "annotations" / "json").mkdir(parents=True)
    both = (*LISTS["train"], *LISTS["val"])
    for split, names in (*LISTS.items(), ("trainval", both)):
        (base / "lists" / f"TBX11K_{split}.txt").write_text("\n".join(names) + "\n")
        (base / "annotations" / "json" / f"TBX11K_{split}.json").write_text(coco(names))
    (base / "lists" / "all_train.txt").write_text("\n".join((*LISTS["train"], "extra/da/train/t1.png")))
    for number, name in enumerate((*both, "test/t0001.png", "extra/da/train/t1.png")):
        save_grey(base / "imgs" / name, number, (16, 16), colours=3)
    return tmp_path


def test_classes_are_folders_and_splits_are_lists(root):
    corpus = read("tbx11k", root)
    records = by_name(corpus)
    assert corpus.findings == ("health", "sick", "tb") and len(records) == 9
    for split, names in LISTS.items():
        for name in names:
            record = records[name.partition("/")[2]]
            kind = name.partition("/")[0]
            assert record.split == split
            assert record.labels == tuple(float(kind == known) for known in ("health", "sick", "tb"))
    assert records["t0001.png"].split == "test" and records["t0001.png"].labels is None
    assert any("1 images of other collections (imgs/extra) left out" in notice for notice in corpus.notices)
    assert the_one(root) == "tbx11k"


def test_boxes_are_in_the_annotations_frame(root):
    records = by_name(read("tbx11k", root))
    (box,) = records["tb0005.png"].boxes
    assert (box.finding, box.top, box.left, box.bottom, box.right) == (KINDS[0], 0.25, 0.5, 0.3125, 0.625)
    whole, latent = records["tb0007.png"].boxes
    assert (whole.top, whole.left, whole.bottom, whole.right) == (0, 0, 1, 1) and latent.finding == KINDS[1]
    assert len(records["tb0009.png"].boxes) == 1 and not records["h0001.png"].boxes


def test_the_public_labels_can_be_tested_on(root):
    corpus = read("tbx11k", root, test_on_val=True, val_fraction=0.2)
    splits = {name: record.split for name, record in by_name(corpus).items()}
    assert "t0001.png" not in splits and all(record.labels for record in corpus.records)
    assert {name for name, split in splits.items() if split == "test"} == {n.split("/")[1] for n in LISTS["val"]}
    assert sum(split == "val" for split in splits.values()) == 1
    assert "3 test images here, 1,800 published" in corpus.notices


def test_annotations_stand_in_for_lists_and_lists_for_annotations(root):
    lists, annotations = (root / "TBX11K" / name for name in ("lists", "annotations/json"))
    (lists / "TBX11K_train.txt").unlink()
    (annotations / "TBX11K_val.json").unlink()
    corpus = read("tbx11k", root)
    records = by_name(corpus)
    assert records["tb0005.png"].split == "train" and records["tb0009.png"].split == "val"
    assert records["tb0005.png"].boxes and not records["tb0009.png"].boxes
    assert any("TBX11K_val.json is missing: no boxes of the val list" in notice for notice in corpus.notices)
    for folder in (lists, annotations):
        for path in folder.iterdir():
            path.unlink()
    with pytest.raises(DatasetError, match=r"neither lists/TBX11K_train\.txt nor"):
        read("tbx11k", root)


def test_one_image_of_tuberculosis_without_a_box_is_said(root):
    path = root / "TBX11K" / "annotations" / "json" / "TBX11K_train.json"
    path.write_text(coco(LISTS["train"], {name: boxes for name, boxes in BOXES.items() if name != "tb/tb0005.png"}))
    assert any("1 images of tuberculosis have no box (tb0005.png)" in n for n in read("tbx11k", root).notices)


def test_what_cannot_be_is_refused(root):
    path = root / "TBX11K" / "annotations" / "json" / "TBX11K_train.json"
    path.write_text(coco(LISTS["train"], {"tb/tb0005.png": [(1, 600.0, 20.0, 50.0, 50.0)]}))
    with pytest.raises(DatasetError, match=r"TBX11K_train\.json: annotation .*tb/tb0005\.png: .*no part inside"):
        read("tbx11k", root)
    path.write_text(coco(LISTS["train"]))
    val = root / "TBX11K" / "lists" / "TBX11K_val.txt"
    val.write_text("tb/tb0005.png\n")
    with pytest.raises(DatasetError, match=r"tb/tb0005\.png is in another list too"):
        read("tbx11k", root)
    val.write_text("flu/f0001.png\n")
    (root / "TBX11K" / "annotations" / "json" / "TBX11K_val.json").write_text(coco(["flu/f0001.png"]))
    save_grey(root / "TBX11K" / "imgs" / "flu" / "f0001.png")
    with pytest.raises(DatasetError, match=r"flu/f0001\.png is in the folder 'flu'.*health, sick, tb"):
        read("tbx11k", root)


def test_what_is_missing_or_unreadable_is_named(root, tmp_path):
    (root / "TBX11K" / "imgs" / "sick" / "s0001.png").unlink()
    save_grey(root / "TBX11K" / "imgs" / "sick" / "s9999.png", 50)
    (root / "TBX11K" / "imgs" / "health" / "h0001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    corpus = read("tbx11k", root)
    text = "\n".join(corpus.notices)
    assert "1 images of the lists are not here (sick/s0001.png)" in text and "sick/s9999.png" in text
    (problem,) = inspect(by_name(corpus)["h0001.png"]).problems
    assert "h0001.png" in problem
    for name in ("health/h0003.png", "sick/s0002.png", "tb/tb0009.png"):  # a part of the download
        (root / "TBX11K" / "imgs" / name).unlink()
    assert {record.split for record in read("tbx11k", root, val_fraction=0.0).records} == {"train", "test"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no image in it"):
        read("tbx11k", tmp_path / "empty")


@pytest.mark.real
def test_the_real_sample(cxr_data):
    corpus = read("tbx11k", cxr_data / "label_files" / "tbx11k_test_data")
    records = by_name(corpus)
    assert {name: len(record.boxes) for name, record in records.items()} == {
        "tb0005.png": 1, "tb0007.png": 2, "h0001.png": 0
    }  # fmt: skip
    (box,) = records["tb0005.png"].boxes
    assert abs(box.left * 512 - 381.8337) < 1e-3 and abs((box.bottom - box.top) * 512 - 44.5658) < 1e-3
