import math
import shutil

import pytest
from pictures import save_grey

from common.files import DatasetError
from common.readers import read

LABELS = (
    "No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,"
    "Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
HEADER = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{LABELS}\n"
FINDINGS = tuple(LABELS.split(","))
TRAIN = {  # what stands behind the path; labels from No Finding on
    "patient00001/study1/view1_frontal.jpg": "Female,68,Frontal,AP,1.0,,,,,,,,,0.0,,,,1.0",
    "patient00002/study2/view1_frontal.jpg": "Female,87,Frontal,PA,,,-1.0,1.0,,-1.0,-1.0,,-1.0,,-1.0,,1.0,",
    "patient00002/study2/view2_lateral.jpg": "Female,87,Lateral,,,,-1.0,1.0,,-1.0,-1.0,,-1.0,,-1.0,,1.0,",
    "patient00003/study1/view1_frontal.jpg": "Unknown,0,Frontal,,,,,,,1.0,,,,0.0,,,,",
    "patient00004/study1/view1_frontal.jpg": "Male,20,Frontal,LL,1.0,,,,,,,,,0.0,,,1.0,",
}
VALID = {"patient64541/study1/view1_frontal.jpg": "Male,73,Frontal,AP," + ",".join(["0.0"] * 13 + ["1.0"])}
TEST = {
    f"patient64741/study1/view{n}_{side}.jpg": ",".join(["1.0"] + ["0.0"] * 13)
    for n, side in ((1, "frontal"), (2, "lateral"))
}


def write(root, name="CheXpert-v1.0-small", test=False):
    lines = {"train.csv": ("train", TRAIN), "valid.csv": ("valid", VALID)} | (
        {"test_labels.csv": ("test", TEST)} if test else {}
    )
    for table, (split, images) in lines.items():
        for number, image in enumerate(images):
            save_grey(root / split / image, sum(map(ord, split)) + number)
        header = f"Path,{LABELS}\n" if split == "test" else HEADER
        (root / table).write_text(
            header + "".join(f"{name}/{split}/{image},{said}\n" for image, said in images.items())
        )
    return root


@pytest.fixture
def root(tmp_path):
    write(tmp_path / "CheXpert-v1.0-small")
    return tmp_path


def views_of(corpus):
    """Last three parts of the path -> record."""
    return {"/".join(record.image.split("/")[-3:]): record for record in corpus.records}


def labels(record, *findings):
    return [record.labels[FINDINGS.index(finding)] for finding in findings]


def test_labels_patients_and_views(root):
    corpus = read("chexpert", root, val_fraction=0.0)
    assert corpus.findings == FINDINGS and len(corpus) == 6
    records = views_of(corpus)
    first, second, lateral, third, fourth = (records[image] for image in TRAIN)
    assert labels(first, "No Finding", "Pneumothorax", "Support Devices") == [1, 0, 1]
    assert labels(second, "Lung Opacity", "Fracture") == [1, 1]
    assert second.patient_id == lateral.patient_id == "patient00002" and second.study_id == lateral.study_id
    assert [record.view for record in (first, second, lateral, third, fourth)] == ["AP", "PA", "LATERAL", None, "LL"]
    assert [(record.sex, record.age) for record in (first, third, fourth)] == [("F", 68), (None, None), ("M", 20)]
    assert (records["patient64541/study1/view1_frontal.jpg"].split, first.split) == ("test", "train")
    assert "5 train images here, 223,414 published" in corpus.notices


@pytest.mark.parametrize(
    ("options", "uncertain", "blank"),
    [({}, math.nan, math.nan), ({"uncertain": "ones", "blank": "zeros"}, 1, 0), ({"uncertain": "zeros"}, 0, math.nan)],
)
def test_the_policies_decide_open_labels_alone(root, options, uncertain, blank):
    corpus = read("chexpert", root, **options)
    record = views_of(corpus)["patient00002/study2/view1_frontal.jpg"]
    expected = [uncertain] * 4 + [blank] * 2 + [1]
    found = labels(
        record, "Cardiomegaly", "Edema", "Consolidation", "Atelectasis", "No Finding", "Pneumonia", "Fracture"
    )
    assert found == pytest.approx(expected, nan_ok=True)
    assert corpus.choices == {"uncertain": "ignore", "blank": "ignore"} | options


def test_smoothed_labels_are_each_images_own_wherever_it_lies(root, tmp_path):
    corpus = read("chexpert", root, uncertain="smoothed")
    frontal, lateral = (views_of(corpus)[f"patient00002/study2/view{view}.jpg"] for view in ("1_frontal", "2_lateral"))
    drawn = [value for record in (frontal, lateral) for value in record.labels if 0 < value < 1]
    assert len(drawn) == len(set(drawn)) == 10 and 0.55 <= min(drawn) <= max(drawn) <= 0.85
    shutil.move(
        root / "CheXpert-v1.0-small" / "train", root / "CheXpert-v1.0-small" / "CheXpert-v1.0 batch 2 (train 1)"
    )
    elsewhere = read("chexpert", root / "CheXpert-v1.0-small", uncertain="smoothed")
    assert views_of(elsewhere)["patient00002/study2/view1_frontal.jpg"].labels == pytest.approx(
        frontal.labels, nan_ok=True
    )


def test_the_test_set_is_left_out_unless_it_is_tested_on(tmp_path):
    write(tmp_path, "CheXpert-v1.0", test=True)
    corpus = read("chexpert", tmp_path, val_fraction=0.0)
    assert len(corpus) == 6 and "2 images are not in the tables and left out" in "\n".join(corpus.notices)
    corpus = read("chexpert", tmp_path, test_on="test")
    splits = {name: record.split for name, record in views_of(corpus).items()}
    assert [splits[name] for name in (*TEST, *VALID)] == ["test", "test", "val"]
    views = {name: record.view for name, record in views_of(corpus).items()}
    assert [views[name] for name in TEST] == [None, "LATERAL"]
    assert "2 test images here, 668 published" in corpus.notices
    (tmp_path / "test_labels.csv").rename(tmp_path / "groundtruth.csv")
    assert len(read("chexpert", tmp_path, test_on="test")) == 8
    with pytest.raises(DatasetError, match=r"test_on: the value is 'val'\. It must be one of valid, test"):
        read("chexpert", tmp_path, test_on="val")


def test_some_projections_alone(root):
    corpus = read("chexpert", root, views=["AP", "PA"], val_fraction=0.0)
    assert {record.view for record in corpus.records} == {"AP", "PA"} and len(corpus) == 3
    assert "3 images of other projections than AP, PA left out" in corpus.notices
    assert "6 images here, 223,648 published" in corpus.notices
    with pytest.raises(
        DatasetError,
        match=r"views: no image has the projection 'FRONTAL'\. There are: AP 2, PA 1, LATERAL 1, unknown 1",
    ):
        read("chexpert", root, views=["FRONTAL"])


def test_validation_patients_are_drawn_from_training(root):
    corpus = read("chexpert", root, val_fraction=0.5)
    splits = {(record.patient_id, record.split) for record in corpus.records}
    assert len(splits) == 5 and sum(split == "val" for _, split in splits) == 2


def damage(base, what):
    table = base / "train.csv"
    text = table.read_text()
    if what == "no column":
        table.write_text(text.replace("Edema", "Oedema"))
    if what == "no label":
        table.write_text(text.replace("0.0,,,,1.0", "0.0,,,,2.0"))
    if what == "no path":
        table.write_text(text.replace("patient00001/study1/", "patient00001/"))
    if what == "two lines":
        table.write_text(text + text.splitlines()[1].replace("1.0", "0.0") + "\n")
    if what == "two tables":
        (base / "valid.csv").write_text(
            (base / "valid.csv").read_text() + text.splitlines()[1].replace("train", "valid")
        )
    if what == "two splits":
        image = "patient64541/study2/view1_frontal.jpg"
        save_grey(base / "train" / image)
        table.write_text(text + f"CheXpert-v1.0-small/train/{image},Male,73,Frontal,AP,{',' * 13}\n")
    if what == "no tables":
        table.unlink()
        (base / "valid.csv").unlink()
    if what == "no image":
        shutil.rmtree(base / "train")
        shutil.rmtree(base / "valid")
    if what == "two releases":
        save_grey(base / "CheXpert-v1.0" / "train" / "patient00001" / "study1" / "view1_frontal.jpg", 99)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no column", r"train\.csv: no column 'Edema'.*Did you mean 'Oedema'"),
        ("no label", r"train\.csv: line 2: the column 'Support Devices' has the value '2\.0'"),
        ("no path", r"train\.csv: line 2: '.*patient00001/view1_frontal\.jpg' names no image"),
        ("two lines", r"train\.csv: 1 images have several lines that contradict each other"),
        ("two tables", r"valid\.csv: it holds 1 images of another table \(patient00001"),
        ("two splits", r"1 patients are in two splits, such as patient64541"),
        ("no tables", r"none of train\.csv, valid\.csv in it\. Get .*stanford"),
        ("no image", r"none of the 6 images of the tables is there .*Unpack"),
        ("two releases", r"different files of one name"),
    ],
)
def test_damage_is_named_with_its_remedy(root, what, message):
    damage(root / "CheXpert-v1.0-small", what)
    with pytest.raises(DatasetError, match=message):
        read("chexpert", root)


def test_a_missing_table_is_said(root):
    (root / "CheXpert-v1.0-small" / "valid.csv").unlink()
    corpus = read("chexpert", root, val_fraction=0.0)
    assert {record.split for record in corpus.records} == {"train"}
    assert "valid.csv is missing: no images of the publisher's valid" in corpus.notices
