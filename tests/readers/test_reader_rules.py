"""What all readers hold to: names by path, a file once, one patient in any spelling, text in any encoding."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.files import DatasetError
from common.readers import read
from common.readers.support.spelling import canonical

WHOLE = {"val_fraction": 0.0, "test_fraction": 0.0}


def image(path, seed=0, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, size, np.uint8)).save(path)
    return path


def table(root, *lines, encoding="utf-8"):
    (root / "t.csv").write_bytes("\n".join(lines).encode(encoding))


def below(root, **options):
    """Path below the root -> record, and all notices as one text."""
    corpus = read("folder", root, **WHOLE, **options)
    return {os.path.relpath(r.image, root.resolve()): r for r in corpus.records}, "\n".join(corpus.notices)


# --- names
@pytest.fixture
def alike(tmp_path):
    """Two patients whose images have one name, size and shape."""
    for number, patient in enumerate(("p1", "p2")):
        image(tmp_path / "images" / patient / "view1.bmp", number)
        image(tmp_path / "masks" / patient / "view1.png", number)
    return tmp_path


def test_masks_landmarks_rows_and_boxes_follow_the_path(alike):
    table(alike, "image,sick,patient", "CheXpert/images/p1/view1.bmp,0,a", "CheXpert/images/p2/view1.bmp,1,b")
    (alike / "l.csv").write_text("image,landmark,row,col\np1/view1,carina,0.25,0.5\np2/view1,carina,0.5,0.5\n")
    (alike / "b.csv").write_text("image,finding,x,y,width,height\nimages\\p2\\view1.bmp,M,0,0,4,4\n")
    options = {"labels_csv": "t.csv", "label_columns": ["sick"], "patient_column": "patient"}
    records, _ = below(alike, images="images", masks={"lung": "masks"}, landmarks_csv="l.csv", boxes="b.csv", **options)
    for patient, sick, row, boxes in (("p1", 0.0, 0.25, 0), ("p2", 1.0, 0.5, 1)):
        record = records[f"images/{patient}/view1.bmp"]
        assert record.masks["lung"] == str(alike / "masks" / patient / "view1.png")
        assert (record.labels, record.landmarks["carina"][0], len(record.boxes)) == ((sick,), row, boxes)


def test_a_bare_name_of_two_images_is_refused_by_name(alike):
    table(alike, "image,sick", "view1.bmp,1")
    with pytest.raises(DatasetError, match=r"t\.csv: .*view1\.bmp: images/p1/view1\.bmp or images/p2/view1\.bmp"):
        below(alike, images="images", labels_csv="t.csv", label_columns=["sick"])
    (alike / "l.csv").write_text("image,landmark,row,col\nview1,carina,0.25,0.5\n")
    with pytest.raises(DatasetError, match="may mean several images"):
        below(alike, images="images", landmarks_csv="l.csv")


def test_another_patients_line_is_not_taken_where_ones_own_is_missing(alike):
    table(alike, "image,sick", "p1/view1.bmp,1")
    records, text = below(alike, images="images", labels_csv="t.csv", label_columns=["sick"])
    assert records["images/p1/view1.bmp"].labels == (1.0,) and records["images/p2/view1.bmp"].labels is None
    assert "1 images have no line" in text
    (alike / "masks" / "p2" / "view1.png").unlink()
    records, text = below(alike, images="images", masks={"lung": "masks"})
    assert not records["images/p2/view1.bmp"].masks and "1 images lack a mask (images/p2/view1.bmp)" in text


def test_one_mask_of_two_formats_and_renamed_folders(tmp_path):
    image(tmp_path / "images" / "1.png", 1)
    table(tmp_path, "image,sick", "old/1.png,1")
    records, text = below(tmp_path, labels_csv="t.csv", label_columns=["sick"])
    assert records["images/1.png"].labels == (1.0,) and "old/1.png for images/1.png" in text
    image(tmp_path / "images" / "1.bmp", 2)
    image(tmp_path / "masks" / "1.png", 3)
    with pytest.raises(DatasetError, match="may mean several images"):
        below(tmp_path, images="images", masks={"lung": "masks"})


def test_accents_have_one_form_and_bytes_are_letters(tmp_path):
    image(tmp_path / "Ju\u0308rgen.png", 1)  # as macOS writes it
    image(tmp_path / "x.png", 2).rename(tmp_path / os.fsdecode(b"Ren\xe9.png"))
    table(tmp_path, "image,sick", "J\u00fcrgen.png,1", "Ren\u00e9.png,0", encoding="cp1252")
    corpus = read("folder", tmp_path, labels_csv="t.csv", label_columns=["sick"], test_fraction=0.5)
    assert sorted(record.labels for record in corpus.records) == [(0.0,), (1.0,)]
    assert any("Windows-1252" in notice for notice in corpus.notices) and corpus.fingerprint()
    "\n".join(corpus.notices).encode()


# --- a file once
def test_different_pictures_of_one_name_and_size_are_no_copies(tmp_path):
    for patient in range(3):
        image(tmp_path / "A" / f"p{patient}" / "1.bmp", patient)
        image(tmp_path / "B" / f"p{patient}" / "1.bmp", 10 + patient)
    assert len(below(tmp_path, classes=["A", "B"])[0]) == 6
    (tmp_path / "A" / "p2" / "1.bmp").write_bytes((tmp_path / "A" / "p0" / "1.bmp").read_bytes())
    records, text = below(tmp_path, classes=["A", "B"])
    assert len(records) == 5 and "1 copies" in text


def test_equal_headers_of_different_pixels_are_no_copies(tmp_path):
    header = "DimSize = 2 2\nElementType = MET_UCHAR\nElementDataFile = x.raw\n"
    for patient in ("a", "b"):
        (tmp_path / "sick" / patient).mkdir(parents=True)
        (tmp_path / "sick" / patient / "x.mhd").write_text(header)
        (tmp_path / "sick" / patient / "x.raw").write_bytes(patient.encode() * 4)
    assert len(below(tmp_path, classes=["well", "sick"])[0]) == 2


def test_an_archive_in_itself_counts_once_without_classes_too(tmp_path):
    for base in (tmp_path, tmp_path / "again"):
        for number in range(4):
            image(base / "set" / f"{number}.png", number)
    records, text = below(tmp_path)
    assert sorted(records) == [f"set/{number}.png" for number in range(4)] and "4 copies in nested folders" in text


def test_links_and_cycles_count_once_and_lead_outside(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    for number in range(4):
        image(root / "a" / f"{number}.png", number)
    image(outside / "9.png", 9)
    (root / "self").symlink_to(root)
    (root / "a" / "b").symlink_to(root / "b")
    (root / "b").mkdir()
    (root / "b" / "a").symlink_to(root / "a")
    (root / "more").symlink_to(outside)
    os.link(root / "a" / "0.png", root / "hard.png")
    records, text = below(root)
    assert sorted(records) == ["a/0.png", "a/1.png", "a/2.png", "a/3.png", "more/9.png"] and "links" in text


def test_a_link_tells_the_class_of_a_file_stored_elsewhere(tmp_path):
    for number, kind in enumerate(("A", "B")):
        (tmp_path / "test" / kind).mkdir(parents=True)
        (tmp_path / "test" / kind / "1.png").symlink_to(image(tmp_path / "all" / f"{number}.png", number))
    records, _ = below(tmp_path, classes=["A", "B"])
    assert {record.labels: record.split for record in records.values()} == {(1.0, 0.0): "test", (0.0, 1.0): "test"}
    (tmp_path / "test" / "B" / "2.png").symlink_to(tmp_path / "all" / "0.png")
    with pytest.raises(DatasetError, match="several folders of a class"):
        below(tmp_path, classes=["A", "B"])


# --- splits, classes, patients
@pytest.mark.parametrize(
    "names", [("Train", "Val", "Test"), ("TRAIN", "validation", "TEST"), ("training", "Valid", "testing")]
)
def test_split_folders_in_any_spelling(tmp_path, names):
    for number, name in enumerate(names):
        image(tmp_path / name / f"{number}.png", number)
    records, _ = below(tmp_path)
    assert [records[f"{name}/{number}.png"].split for number, name in enumerate(names)] == ["train", "val", "test"]
    image(tmp_path / "test_data" / "5.png", 5)
    assert "may be splits" in below(tmp_path)[1]


def test_classes_in_another_case_and_folders_of_none(tmp_path):
    for number, name in enumerate(("NORMAL", "normal", "Pneumonia", "other")):
        image(tmp_path / name / f"{number}.png", number)
    records, text = below(tmp_path, classes=["NORMAL", "PNEUMONIA"])
    labels = {name: record.labels for name, record in records.items()}
    assert labels == {
        "NORMAL/0.png": (1, 0), "normal/1.png": (1, 0), "Pneumonia/2.png": (0, 1), "other/3.png": None
    }  # fmt: skip
    assert "1 images lie in no folder named NORMAL or PNEUMONIA" in text


def test_one_patient_in_several_spellings_and_none(tmp_path):
    ids = ["1", "1.0", "01", "P7", "p7", "", "NaN"]
    for number in range(len(ids)):
        image(tmp_path / f"{number}.png", number)
    table(tmp_path, "image,patient", *(f"{number}.png,{patient}" for number, patient in enumerate(ids)))
    records, text = below(tmp_path, labels_csv="t.csv", patient_column="patient")
    patients = [records[f"{number}.png"].patient_id for number in range(len(ids))]
    assert len(set(patients[:3])) == len(set(patients[3:5])) == 1 and len(set(patients)) == 4
    assert "2 patients of t.csv are spelled in several ways" in text and "2 images have no patient" in text
    assert canonical("1.5") != canonical("1") and canonical("10") != canonical("1.0")


def test_equal_lines_count_once_and_contrary_ones_are_named(tmp_path):
    for number in range(2):
        image(tmp_path / f"{number}.png", number)
    table(tmp_path, "image,sick", "0.png,", "0.png,-1", "1.png,1")
    records, text = below(tmp_path, labels_csv="t.csv", label_columns=["sick"])
    assert math.isnan(records["0.png"].labels[0]) and "equal lines of 1 images" in text
    table(tmp_path, "image,sick", "0.png,0", "1.png,1", "0.png,1")
    with pytest.raises(DatasetError, match=r"contradict each other \(0\.png on lines 2, 4\)"):
        below(tmp_path, labels_csv="t.csv", label_columns=["sick"])


# --- values and text
@pytest.mark.parametrize("value", ["5", "-3", "inf", "1e39", "1e999", "1_0", "2.0", "x"])
def test_what_is_no_label_is_refused_by_line_and_value(tmp_path, value):
    image(tmp_path / "0.png")
    table(tmp_path, "image,sick", "", f"0.png,{value}")
    with pytest.raises(DatasetError, match=rf"t\.csv: line 3: the column 'sick' has the value '{value}'"):
        below(tmp_path, labels_csv="t.csv", label_columns=["sick"])


@pytest.mark.parametrize("value", ["-1.00", "-1", "", "NA", "NAN", "null"])
def test_unknown_is_a_number_too(tmp_path, value):
    image(tmp_path / "0.png")
    table(tmp_path, "image,sick", f"0.png,{value}")
    assert math.isnan(below(tmp_path, labels_csv="t.csv", label_columns=["sick"])[0]["0.png"].labels[0])


@pytest.mark.parametrize(
    ("lines", "encoding"),
    [
        (["image,sick", "0.png,0.5,", "1.png,1,"], "utf-8"),
        (["image,sick", "0.png,0.5", "1.png,1"], "utf-16"),
        (["image,sick", "0.png,0.5", "1.png,1"], "utf-16-le"),
        (["image;sick", "0.png;0,5", "1.png;1,000"], "utf-8-sig"),
        (["image\tsick", "0.png\t0,5", "1.png\t1"], "utf-8"),
        (["sep=;", "image;sick", "0.png;0.5", "1.png;1"], "utf-8"),
        (['"image", "sick"', '"0.png", "0.5"', '"1.png", "1"'], "utf-8"),
        ([",image,sick", "0,0.png,.5", "1,1.png,1e0"], "utf-8"),
    ],
)
def test_tables_in_every_form_say_the_same(tmp_path, lines, encoding):
    for number in range(2):
        image(tmp_path / f"{number}.png", number)
    lines = lines if not lines[0].startswith("image,sick") or "," not in lines[1][9:] else [lines[0] + ",", *lines[1:]]
    table(tmp_path, *lines, encoding=encoding)
    records, _ = below(tmp_path, labels_csv="t.csv", label_columns=["sick"])
    assert [records[f"{number}.png"].labels for number in range(2)] == [(0.5,), (1.0,)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04 and more", "cannot be read"),
        (b"\xd0\xcf\x11\xe0\xa1", "Excel workbook"),
        (b"image,sick\n0.png,1,2\n", "line 2 has 3 fields, the header 2"),
        (b"image,Size[W,H],sick,view\n0.png,8,0,1\n1.png,8,0,1\n", "header has 5 names, and no line more than 4"),
        (b"image,sick,sick\n0.png,1,0\n", "columns called 'sick' differ"),
        (b'image,sick\n0.png,"1\n1.png,0\n', "cannot be read as a table"),
        (b"image,sick\n0.png,\x00\x01\x02\n", "as text"),
        (b"", "is empty"),
    ],
)
def test_what_is_no_table_is_refused_by_name(tmp_path, content, message):
    image(tmp_path / "0.png")
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"t\.csv: .*{message}"):
        below(tmp_path, labels_csv="t.csv", label_columns=["sick"])


@pytest.mark.parametrize("content", [b"\xff\xfe\xfa", b"{", b"[" * 100_000, b"\x81\x8d"])
def test_json_that_cannot_be_read_names_its_file(tmp_path, content):
    image(tmp_path / "0.png")
    (tmp_path / "x.json").write_bytes(content)
    for options in ({"polygons": "x.json"}, {"split_file": str(tmp_path / "x.json"), "split_part": "downstream"}):
        with pytest.raises(DatasetError, match=r"x\.json: "):
            read("folder", tmp_path, **options)
    assert Path(tmp_path / "x.json").exists()


def test_coco_ids_that_mean_two_images_are_refused(tmp_path):
    image(tmp_path / "0.png")
    images = [{"id": 1, "file_name": f"{number}.png", "width": 8, "height": 8} for number in range(2)]
    (tmp_path / "c.json").write_text(json.dumps({"categories": [], "images": images, "annotations": []}))
    with pytest.raises(DatasetError, match="two image entries have the id 1"):
        below(tmp_path, boxes="c.json")
