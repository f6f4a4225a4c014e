from collections import Counter

import numpy as np
import pytest
from pictures import by_name, save_dicom, save_grey

from common.files import DatasetError
from common.images import read_mask
from common.readers import read

SIDE = 1024
PREFIX = "1.2.276.0.7230010.3.1.4."
CORNER = "0 2 1022 2"  # rows 0 and 1 of columns 0 and 1
LAST = f"{SIDE * SIDE - 3} 3"  # the last three rows of the last column


def lines_of(count):
    """Every second image has a pneumothorax; of image 0 it is in two areas."""
    rows = [(number, CORNER if number % 2 == 0 else "-1") for number in range(count)]
    return [(0, LAST), *rows]


def write(root, count=20, lines=None, header="ImageId, EncodedPixels", table="train-rle.csv"):
    for number in range(count):
        facts = {"PatientID": f"p{number // 2 if number < 4 else number}", "PatientSex": "F", "PatientAge": "51"}
        path = root / "dicom-images-train" / f"1.2.{number}" / "1.3" / f"{PREFIX}{number}.dcm"
        save_dicom(path, number, **facts, ViewPosition="PA", PixelSpacing=[0.168, 0.168])
    rows = [f"{PREFIX}{number}, {text}" for number, text in (lines_of(count) if lines is None else lines)]
    (root / table).write_text("\n".join([header, *rows]))
    return root


def test_runs_are_relative_and_go_down_the_columns(tmp_path):
    corpus = read("siim_acr", write(tmp_path))
    records = by_name(corpus)
    corner = np.zeros((SIDE, SIDE), np.uint8)
    corner[:2, :2] = 1
    both = corner.copy()
    both[-3:, -1] = 1
    assert (read_mask(records[f"{PREFIX}2.dcm"].masks["pneumothorax"]) == corner).all()
    assert (read_mask(records[f"{PREFIX}0.dcm"].masks["pneumothorax"]) == both).all()
    healthy = {record.masks["pneumothorax"] for record in corpus.records if record.labels == (0.0,)}
    assert healthy == {f"{tmp_path}/drawn_masks/siim_acr/empty/1024x1024.png"}
    again = read("siim_acr", tmp_path)  # what was drawn is no image
    assert again.records == corpus.records and again.notices == corpus.notices


def test_labels_headers_and_stratified_patients(tmp_path):
    corpus = read("siim_acr", write(tmp_path), val_fraction=0.25)
    assert (corpus.findings, corpus.structures) == (("Pneumothorax",), ("pneumothorax",))
    record = by_name(corpus)[f"{PREFIX}1.dcm"]
    assert (record.patient_id, record.sex, record.age, record.view) == ("p0", "F", 51, "PA")
    assert record.pixel_spacing == (0.168, 0.168) and record.labels == (0.0,)
    assert Counter(record.labels for record in corpus.records) == {(0.0,): 10, (1.0,): 10}
    homes = {(record.patient_id, record.split) for record in corpus.records}
    assert len(homes) == 18 == len({patient for patient, _ in homes})
    for split in ("val", "test"):  # 20 % of 10 patients with, and of 8 without
        assert {record.labels for record in corpus.records if record.split == split} >= {(0.0,), (1.0,)}
        assert len({record.patient_id for record in corpus.records if record.split == split}) == 4


def test_other_forms_say_the_same(tmp_path):
    """The second stage is flat, and converted copies are pictures with masks beside them and no header."""
    for number in range(4):
        save_grey(tmp_path / "stage_2_images" / f"{PREFIX}{number}.png", number)
        save_grey(tmp_path / "masks" / f"{PREFIX}{number}.png", 10 + number)
    save_grey(tmp_path / "stage_2_images" / "ID_9.png", 9)
    text = "\n".join(["ImageId,EncodedPixels", *(f"{PREFIX}{n},{'-1' if n else CORNER}" for n in range(5))])
    (tmp_path / "stage_2_train.csv").write_text(text)
    (tmp_path / "train-rle.csv").write_text("the first stage's table, which the second's holds")
    corpus = read("siim_acr", tmp_path, masks_dir=f"{tmp_path}/drawn")
    record = by_name(corpus)[f"{PREFIX}0.png"]
    assert len(corpus) == 4 and record.labels == (1.0,) and record.patient_id == f"{PREFIX}0"
    assert record.image == f"{tmp_path}/stage_2_images/{PREFIX}0.png" and record.pixel_spacing is None
    assert record.masks["pneumothorax"].startswith(f"{tmp_path}/drawn/siim_acr/pneumothorax/")
    said = "\n".join(corpus.notices)
    assert "5 images are not in stage_2_train.csv and left out" in said and "4 images have no patient" in said
    assert f"1 images of stage_2_train.csv are not here ({PREFIX}4)" in said


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([(0, "1 2 3")], r"line 2: 1\.2.*\.0: '1 2 3' \(3 parts\) are no pairs"),
        ([(0, "-1"), (1, "4 x")], r"line 3: .*'4 x'"),
        ([(0, "5 -1")], "'5 -1'"),
        ([(0, f"{SIDE * SIDE - 3} 4")], "within 1,048,576 pixels"),
        ([(0, "")], r"'' \(0 parts\)"),
        ([(0, "-1"), (0, CORNER)], r"line 3: .* has pneumothorax on one line and -1 on another"),
        ([(0, CORNER), (0, "-1")], r"line 3: .* has pneumothorax on one line and -1 on another"),
    ],
)
def test_what_a_table_may_not_say(tmp_path, lines, message):
    with pytest.raises(DatasetError, match=message):
        read("siim_acr", write(tmp_path, 2, lines))


def test_files_that_are_not_there_or_of_another_challenge(tmp_path):
    write(tmp_path, 2, [(7, "-1")])
    with pytest.raises(DatasetError, match=r"none of the 1 images of train-rle\.csv is there"):
        read("siim_acr", tmp_path)
    (tmp_path / "train-rle.csv").unlink()
    with pytest.raises(DatasetError, match=r"none of stage_2_train\.csv, train-rle\.csv"):
        read("siim_acr", tmp_path)
    (tmp_path / "stage_2_train.csv").write_text("ID,Label\nID_1_any,0")  # of RSNA's haemorrhages
    with pytest.raises(DatasetError, match="no column 'ImageId'"):
        read("siim_acr", tmp_path)
