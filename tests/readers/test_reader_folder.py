import math

import numpy as np
import pytest
from PIL import Image

from common.files import DatasetError
from common.readers import read

KERMANY = {
    "classes": ["NORMAL", "PNEUMONIA"],
    "patient_pattern": r"(person\d+)_|((?:NORMAL2-)?IM-\d+)",
}


def image(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng([seed, *str(path).encode()]).integers(0, 255, (8, 8), np.uint8)
    Image.fromarray(values).save(path)


def by_name(corpus):
    return {record.image.split("/")[-1]: record for record in corpus.records}


@pytest.fixture
def plain(tmp_path):
    for number in range(10):
        image(tmp_path / "data" / ("a" if number < 5 else "b/c") / f"{number}.png")
    (tmp_path / "data" / "notes.txt").write_text("not an image")
    return tmp_path / "data"


def test_images_alone(plain):
    corpus = read("folder", plain)
    assert corpus.name == "data" and len(corpus) == 10 and corpus.findings == ()
    assert all(record.labels is None for record in corpus.records)
    splits = [record.split for record in corpus.records]
    assert (splits.count("test"), splits.count("val"), splits.count("train")) == (2, 1, 7)
    assert read("folder", plain).records == corpus.records
    assert {r.split for r in read("folder", plain, val_fraction=0.0, test_fraction=0.0).records} == {"train"}


def kermany(root, nested=False):
    for base in [root, root / "chest_xray"] if nested else [root]:
        for number in range(1, 5):
            for kind in ("bacteria", "virus"):
                image(base / "train" / "PNEUMONIA" / f"person{number}_{kind}_{number}.jpeg")
            image(base / "train" / "NORMAL" / f"IM-{number:04}-0001.jpeg")
        image(base / "test" / "PNEUMONIA" / "person9_virus_1.jpeg")
        image(base / "test" / "NORMAL" / "NORMAL2-IM-0001-0001.jpeg")
    return root


def test_class_folders_with_the_publishers_split(tmp_path):
    corpus = read("folder", kermany(tmp_path), val_fraction=0.25, **KERMANY)
    records = by_name(corpus)
    assert corpus.findings == ("NORMAL", "PNEUMONIA")
    assert records["person9_virus_1.jpeg"].labels == (0.0, 1.0)
    assert records["NORMAL2-IM-0001-0001.jpeg"].labels == (1.0, 0.0)
    assert records["NORMAL2-IM-0001-0001.jpeg"].patient_id == "NORMAL2-IM-0001"
    assert {r.image.split("/")[-1] for r in corpus.records if r.split == "test"} == {
        "person9_virus_1.jpeg",
        "NORMAL2-IM-0001-0001.jpeg",
    }
    validating = {record.patient_id for record in corpus.records if record.split == "val"}
    assert len(validating) == 2
    assert not validating & {record.patient_id for record in corpus.records if record.split == "train"}


def test_patients_shared_by_the_publishers_folders(tmp_path):
    kermany(tmp_path)
    image(tmp_path / "test" / "PNEUMONIA" / "person2_virus_7.jpeg")
    with pytest.raises(DatasetError, match=r"such as person2 in test and train.*shared_patients"):
        read("folder", tmp_path, **KERMANY)
    separate = read("folder", tmp_path, shared_patients="separate", val_fraction=0.0, **KERMANY)
    assert len(separate) == 15
    assert {r.patient_id for r in separate.records if "person2_" in r.image} == {"train/person2", "test/person2"}
    dropped = read("folder", tmp_path, shared_patients="drop", val_fraction=0.0, **KERMANY)
    assert len(dropped) == 13 and any("2 images left out" in notice for notice in dropped.notices)


def test_archives_that_nest_a_copy_of_themselves(tmp_path):
    kermany(tmp_path, nested=True)
    for path in sorted(tmp_path.glob("chest_xray/**/*.jpeg")):
        path.write_bytes((tmp_path / path.relative_to(tmp_path / "chest_xray")).read_bytes())
    corpus = read("folder", tmp_path, **KERMANY)
    assert len(corpus) == 14 and any("14 copies" in notice for notice in corpus.notices)


def test_a_table_of_numbers(plain):
    lines = ["image,A,B,pid,set,view"]
    for number in range(9):
        second = "" if number == 3 else -1 if number == 4 else 1
        lines.append(f"{number}.png,{number % 2},{second},p{number // 2},{('train', 'test')[number > 5]},PA")
    lines += ["gone.png,1,1,p9,train,PA"]
    (plain / "labels.csv").write_text("\ufeff" + "\n".join(lines))
    options = {"label_columns": ["B", "A"], "patient_column": "pid", "split_column": "set", "view_column": "view"}
    corpus = read("folder", plain, labels_csv="labels.csv", **options)
    records = by_name(corpus)
    assert corpus.findings == ("B", "A") and records["5.png"].labels == (1.0, 1.0)
    assert math.isnan(records["3.png"].labels[0]) and math.isnan(records["4.png"].labels[0])
    assert records["3.png"].labels[1] == 1 and records["9.png"].labels is None
    assert records["7.png"].patient_id == "p3" and records["7.png"].split == "test" and records["0.png"].view == "PA"
    text = "\n".join(corpus.notices)
    assert "1 images that are not here (gone.png)" in text and "1 images have no line in the table (b/c/9.png)" in text


def test_a_table_of_classes_with_names_lacking_suffixes(plain):
    (plain / "trainLabels.csv").write_text("image,level\n" + "\n".join(f"{n},{n % 3}" for n in range(10)))
    corpus = read("folder", plain, labels_csv="trainLabels.csv", class_column="level")
    assert corpus.findings == ("0", "1", "2") and by_name(corpus)["5.png"].labels == (0.0, 0.0, 1.0)
    ordered = read("folder", plain, labels_csv="trainLabels.csv", class_column="level", classes=[2, 1, 0])
    assert by_name(ordered)["5.png"].labels == (1.0, 0.0, 0.0)
    with pytest.raises(DatasetError, match="has 2, not one of 0, 1"):
        read("folder", plain, labels_csv="trainLabels.csv", class_column="level", classes=["0", "1"])


def test_same_names_in_two_folders_are_told_apart_by_path(tmp_path):
    for folder in ("left", "right"):
        image(tmp_path / folder / "1.png")
    (tmp_path / "t.csv").write_text("image,A\nleft/1.png,0\nright/1.png,1\n")
    corpus = read("folder", tmp_path, labels_csv="t.csv", label_columns=["A"])
    assert {record.image.split("/")[-2]: record.labels for record in corpus.records} == {
        "left": (0.0,),
        "right": (1.0,),
    }


def test_masks(tmp_path):
    for number in range(6):
        image(tmp_path / "images" / f"{number}.png")
    for number in range(1, 7):
        image(tmp_path / "masks" / f"{number}.gif")
    corpus = read("folder", tmp_path, masks={"lung": "masks"})
    assert corpus.structures == ("lung",) and len(corpus) == 6
    assert by_name(corpus)["1.png"].masks == {"lung": str(tmp_path / "masks" / "1.gif")}
    text = "\n".join(corpus.notices)
    assert "1 masks belong to no image" in text and "1 images lack a mask (images/0.png)" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels_csv": "no.csv"}, "no such file"),
        ({"labels_csv": "t.csv", "image_column": "file"}, "no column 'file'.*option image_column"),
        ({"labels_csv": "t.csv", "label_columns": ["C"]}, "no column 'C'.*option label_columns"),
        ({"labels_csv": "t.csv", "label_columns": ["B"]}, "value 'yes'.*class_column"),
        ({"labels_csv": "t.csv", "patient_column": "pid"}, "no column 'pid'.*option patient_column"),
        ({"labels_csv": "t.csv", "split_column": "B"}, "has the split 'yes'"),
        ({"labels_csv": "t.csv", "label_columns": ["A"], "class_column": "B"}, "both label_columns and class_column"),
        ({"labels_csv": "strangers.csv"}, "none of its images"),
        ({"labels_csv": "twice.csv", "label_columns": ["A"]}, "1.png on lines 2, 3"),
        ({"labels_csv": "binary.csv"}, "cannot be read as text"),
        ({"masks": {"lung": "nowhere"}}, "no such folder.*masks"),
        ({"masks": {"lung": "bare"}}, "no mask image in it"),
        ({"images": "nowhere"}, "no such folder.*option images"),
        ({"images": "bare"}, "no image in it"),
        ({"classes": ["X", "Y"]}, "no image lies in a folder named X or Y"),
        ({"patient_pattern": "("}, "no regular expression"),
        ({"patient_pattern": "zzz"}, "matches no path"),
        ({"split_folders": {"a": "training"}}, "unknown split 'training'"),
        ({"test_fraction": -0.1}, "test_fraction: the value is -0.1"),
    ],
)
def test_options_that_do_not_fit_are_named(plain, options, message):
    (plain / "t.csv").write_text("image,A,B\n1.png,1,yes\n")
    (plain / "strangers.csv").write_text("image,A\nx.png,1\n")
    (plain / "twice.csv").write_text("image,A\n1.png,1\n1.png,0\n")
    (plain / "binary.csv").write_bytes(bytes(range(128, 256)))
    (plain / "bare").mkdir()
    with pytest.raises(DatasetError, match=message):
        read("folder", plain, **options)


def test_dicom_files_named_by_their_uid_are_found(tmp_path):
    (tmp_path / "1.2.840.9").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 16)
    (tmp_path / "1.2.840.txt").write_bytes(b"\0" * 128 + b"DICM")
    image(tmp_path / "a.png")
    assert len(read("folder", tmp_path)) == 2


@pytest.mark.real
def test_real_folders(cxr_data):
    corpus = read("folder", cxr_data / "kermany_pneumonia_224", shared_patients="separate", **KERMANY)
    counts = {split: sum(record.split == split for record in corpus.records) for split in ("train", "val", "test")}
    assert counts["test"] == 624 and counts["train"] + counts["val"] == 1500
    assert sum(record.labels[1] for record in corpus.records) == 750 + 390
    options = {"image_column": "id", "patient_column": "patientid", "view_column": "view"}
    lungs = read(
        "folder",
        cxr_data / "lung_masks_256",
        images="images",
        masks={"lung": "masks"},
        labels_csv="metadata_with_licence_and_url.csv",
        **options,
    )
    assert len(lungs) == 198 and not lungs.notices
    assert all(record.masks["lung"].split("/")[-1] == record.image.split("/")[-1] for record in lungs.records)
    assert len({record.patient_id for record in lungs.records}) < 198
