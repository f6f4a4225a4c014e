import json
import math

import pytest
from pictures import by_name, save_dicom, save_grey

from common.files import DatasetError
from common.readers import read
from common.records import Box

NORMAL, OTHER, OPACITY = "Normal", "No Lung Opacity / Not Normal", "Lung Opacity"
BOXES, CLASSES = "stage_2_train_labels.csv", "stage_2_detailed_class_info.csv"
MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"
IMAGES = {  # image -> class, boxes (x, y, width, height)
    "0004cfab-14fd-4e49-80ba-63a80b6bddd6": (OTHER, []),
    "00313ee0-9eaa-42f4-b0ab-c148ed3241cd": (NORMAL, []),
    "00436515-870c-4b36-a041-de91049b9ab4": (
        OPACITY,
        [("264.0", "152.0", "213.0", "379.0"), ("562", "152", "256", "453")],
    ),
    "00704310-78a8-4b38-8475-49f4573b2dbb": (OPACITY, [("0.0", "512.0", "256.0", "512.0")]),
    "00d7c36e-3cdf-4df6-ac03-6c30cdc8e85b": (NORMAL, []),
}
FIRST, SECOND, THIRD, FOURTH, FIFTH = IMAGES


def write(root):
    boxes, classes = ["patientId,x,y,width,height,Target"], ["patientId,class"]
    for number, (name, (kind, found)) in enumerate(IMAGES.items()):
        facts = {"PatientSex": "FM"[number % 2], "PatientAge": ("51", "155")[number == 4], "ViewPosition": "PA"}
        save_dicom(root / "stage_2_train_images" / f"{name}.dcm", number, PixelSpacing=["0.143", "0.143"], **facts)
        boxes += [f"{name},{','.join(box)},1" for box in found] or [f"{name},,,,,0"]
        classes += [f"{name},{kind}"] * max(1, len(found))
    save_dicom(root / "stage_2_test_images" / "0000a175-0e68-4ca4-b1af-167204a7e0bc.dcm", 99)
    (root / BOXES).write_text("\n".join(boxes))
    (root / CLASSES).write_text("\n".join(classes))
    return root


@pytest.fixture
def root(tmp_path):
    return write(tmp_path)


def of(corpus):
    return {name.partition(".")[0]: record for name, record in by_name(corpus).items()}


def test_three_classes_and_boxes_in_fractions_of_1024_pixels(root):
    corpus = read("rsna_pneumonia", root)
    records = of(corpus)
    assert corpus.findings == (NORMAL, OTHER, OPACITY) and len(corpus) == 5
    for name, (kind, boxes) in IMAGES.items():
        assert [finding for finding, value in zip(corpus.findings, records[name].labels, strict=True) if value] == [
            kind
        ]
        assert len(records[name].boxes) == len(boxes)
    assert records[FOURTH].boxes == (Box(OPACITY, 0.5, 0.0, 1.0, 0.25),)
    assert records[THIRD].boxes[0] == Box(OPACITY, 152 / 1024, 264 / 1024, 531 / 1024, 477 / 1024)
    text = "\n".join(corpus.notices)
    assert "lines twice" not in text and "1 images are not in stage_2_train_labels.csv and left out" in text


def test_headers_tell_patient_view_and_spacing(root):
    records = of(read("rsna_pneumonia", root))
    assert [(record.sex, record.age) for record in map(records.get, (FIRST, SECOND, FIFTH))] == [
        *(("F", 51), ("M", 51), ("F", None))
    ]
    assert {(record.view, record.pixel_spacing) for record in records.values()} == {("PA", (0.143, 0.143))}
    bare = read("rsna_pneumonia", root, headers=False)
    assert {(record.view, record.sex, record.age) for record in bare.records} == {(None, None, None)}


def test_converted_and_resized_images_keep_their_boxes(root):
    for name in IMAGES:
        (root / "stage_2_train_images" / f"{name}.dcm").unlink()
        save_grey(root / "png" / f"{name}.png", len(name))
    record = of(read("rsna_pneumonia", root))[FOURTH]
    assert record.boxes == (Box(OPACITY, 0.5, 0.0, 1.0, 0.25),) and record.sex is None


def test_a_file_that_is_no_dicom_is_named(root):
    (root / "stage_2_train_images" / f"{FIRST}.dcm").write_bytes(b"x")
    corpus = read("rsna_pneumonia", root)
    assert f"1 files have a DICOM header that cannot be read ({FIRST}.dcm)" in corpus.notices


def test_patients_are_images_unless_the_mapping_tells_them(root):
    corpus = read("rsna_pneumonia", root, test_fraction=0.4, val_fraction=0.34)
    assert sorted(record.split for record in corpus.records) == ["test", "test", "train", "train", "val"]
    assert any(MAPPING in notice and "each image counts as one" in notice for notice in corpus.notices)
    nih = [("00013774_026.png", 0), ("00013774_027.png", 1), ("00000003_000.png", 2), ("00000004_000.png", 3)]
    entries = [{"img_id": image, "subset_img_id": list(IMAGES)[place]} for image, place in nih]
    (root / MAPPING).write_text(json.dumps(entries))
    records = of(read("rsna_pneumonia", root))
    assert records[FIRST].patient_id == records[SECOND].patient_id == "13774"
    assert records[FIFTH].patient_id == FIFTH
    (root / MAPPING).write_text('{"a": 1}')
    with pytest.raises(DatasetError, match="no list of entries with subset_img_id and img_id"):
        read("rsna_pneumonia", root)


def test_the_benchmarks_lists_are_the_split(root):
    lists = {"train": [FIRST, SECOND], "val": [THIRD], "test": [FOURTH]}
    for split, names in lists.items():
        (root / f"RSNAPneumonia_{split}.txt").write_text("".join(f"{name}.png 0\n" for name in names))
    corpus = read("rsna_pneumonia", root)
    assert {name: record.split for name, record in of(corpus).items()} == {
        **{FIRST: "train", SECOND: "train", THIRD: "val", FOURTH: "test"}
    }
    assert "1 images are in none of the lists and left out" in corpus.notices
    entries = [{"img_id": "00000003_000.png", "subset_img_id": name} for name in (FIRST, FOURTH)]
    (root / MAPPING).write_text(json.dumps(entries))
    with pytest.raises(DatasetError, match=r"1 patients are in two splits, such as 3 in test and train"):
        read("rsna_pneumonia", root)
    (root / "RSNAPneumonia_val.txt").write_text(f"{FIRST}.png 0\n")
    with pytest.raises(DatasetError, match="is in another list too"):
        read("rsna_pneumonia", root)


def test_an_image_without_a_class_is_counted(root):
    lines = (root / CLASSES).read_text().splitlines()
    (root / CLASSES).write_text("\n".join(line for line in lines if not line.startswith((FIRST, THIRD))))
    corpus = read("rsna_pneumonia", root)
    assert all(map(math.isnan, of(corpus)[FIRST].labels[:2])) and of(corpus)[THIRD].labels == (0, 0, 1)
    said = [notice for notice in corpus.notices if CLASSES in notice]
    assert said == [f"1 images without boxes are not in {CLASSES} ({FIRST}): which of them are normal is not known"]


def test_a_table_of_classes_without_header_or_none(root):
    text = (root / CLASSES).read_text()
    (root / CLASSES).write_text(text.partition("\n")[2])
    corpus = read("rsna_pneumonia", root)
    assert of(corpus)[FIRST].labels == (0, 1, 0)
    assert any("has no header line" in notice for notice in corpus.notices)
    (root / CLASSES).unlink()
    corpus = read("rsna_pneumonia", root)
    first, third = of(corpus)[FIRST].labels, of(corpus)[THIRD].labels
    assert third == (0, 0, 1) and first[2] == 0 and all(map(math.isnan, first[:2]))
    assert any("which images without boxes are normal is not known" in notice for notice in corpus.notices)


@pytest.mark.parametrize(
    ("table", "before", "after", "message"),
    [
        (BOXES, "width", "w", "no column 'width'"),
        (CLASSES, "class", "kind", "no column 'class'"),
        (CLASSES, f"{FIRST},{OTHER}", f"{FIRST},Opacity", r"line 2: .* the unknown class 'Opacity'.*Known are Normal"),
        (CLASSES, f"{FOURTH},{OPACITY}", f"{FOURTH},{NORMAL}", rf"{FOURTH} has 1 boxes, and its class .* is 'Normal'"),
        (BOXES, "0.0,512.0,256.0", "1024.0,512.0,256.0", rf"line 6: {FOURTH}: .*inside 1024 x 1024 pixels"),
        (BOXES, "0.0,512.0,256.0,512.0,1", "0.0,512.0,256.0,512.0,0", r"line 6: .* has the Target '0' and the box"),
        (BOXES, "0.0,512.0,256.0,512.0,1", "a,512.0,256.0,512.0,1", rf"line 6: {FOURTH}: .*'a'"),
        (BOXES, f"{FIRST},,,,,0", f"{FIRST},,,,,1", r"line 2: .* has the Target '1' and the box"),
    ],
)  # fmt: skip
def test_damage_is_named_by_line(root, table, before, after, message):
    text = (root / table).read_text()
    assert before in text
    (root / table).write_text(text.replace(before, after, 1))
    with pytest.raises(DatasetError, match=message):
        read("rsna_pneumonia", root)


def test_without_table_or_images_it_says_where_to_get_them(root):
    for path in (root / "stage_2_train_images").iterdir():
        path.unlink()
    with pytest.raises(DatasetError, match=r"none of the 5 images .* is there .*Unpack stage_2_train_images there"):
        read("rsna_pneumonia", root)
    (root / BOXES).unlink()
    with pytest.raises(DatasetError, match=r"no stage_2_train_labels\.csv in it\. Get it from .*kaggle"):
        read("rsna_pneumonia", root)
