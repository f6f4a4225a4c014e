import numpy as np
import pytest
from pictures import by_name, save_grey
from PIL import Image

from common.files import DatasetError
from common.files.errors import SharedPatients
from common.images import read_image
from common.readers import read

READINGS = {1: "male 45yrs\nnormal", 2: "female  8 month \nnormal", 327: "Female, 33yrs\nSTB left, 2 nodules"}


def write(root, numbers=(1, 2, 3, 327, 328)):
    folder = root / "ChinaSet_AllFiles"
    for number in numbers:
        name = f"CHNCXR_{number:04}_{int(number > 326)}"
        save_grey(folder / "CXR_png" / f"{name}.png", number, colours=3 if number == 2 else 1)
        (folder / "ClinicalReadings").mkdir(exist_ok=True)
        (folder / "ClinicalReadings" / f"{name}.txt").write_text(READINGS.get(number, "no more is known"))
    (folder / "CXR_png" / "Thumbs.db").write_bytes(b"x")
    (folder / "NLM-ChinaCXRSet-ReadMe.docx").write_bytes(b"x")
    return root


def lists(root, train, valid, test):
    for word, names in (("train", train), ("valid", valid), ("test", test)):
        (root / f"ShenzenCXR_{word}_data.txt").write_text("".join(f"{name}.png,{name[-1]}\n" for name in names))


def test_labels_come_from_names_and_people_from_readings(tmp_path):
    corpus = read("shenzhen", write(tmp_path))
    records = by_name(corpus)
    assert corpus.findings == ("Tuberculosis",)
    assert {name: record.labels[0] for name, record in records.items()} == {
        **{"CHNCXR_0001_0.png": 0, "CHNCXR_0002_0.png": 0, "CHNCXR_0003_0.png": 0},
        **{"CHNCXR_0327_1.png": 1, "CHNCXR_0328_1.png": 1},
    }
    assert [(record.sex, record.age) for record in records.values()] == [
        *(("M", 45), ("F", pytest.approx(8 / 12)), (None, None)),
        *(("F", 33), (None, None)),
    ]
    assert {record.patient_id for record in records.values()} == {"0001", "0002", "0003", "0327", "0328"}
    assert read_image(records["CHNCXR_0002_0.png"].image).shape == (1, 8, 8)  # in colour
    assert any("2 images have no clinical reading" in notice for notice in corpus.notices)
    assert "5 images here, 662 published" in corpus.notices


def test_shares_are_drawn_alike_from_both_classes(tmp_path):
    corpus = read("shenzhen", write(tmp_path, [*range(1, 41), *range(327, 367)]))
    counts = {split: [r.labels[0] for r in corpus.records if r.split == split] for split in ("train", "val", "test")}
    assert {split: (len(labels), sum(labels)) for split, labels in counts.items()} == {
        **{"train": (56, 28), "val": (8, 4), "test": (16, 8)}
    }


def test_the_shared_lists_are_the_split_where_they_are(tmp_path):
    lists(write(tmp_path), ["CHNCXR_0001_0", "CHNCXR_0327_1"], ["CHNCXR_0002_0"], ["CHNCXR_0328_1", "CHNCXR_0400_1"])
    corpus = read("shenzhen", tmp_path)
    assert {name: record.split for name, record in by_name(corpus).items()} == {
        **{"CHNCXR_0001_0.png": "train", "CHNCXR_0327_1.png": "train", "CHNCXR_0002_0.png": "val"},
        "CHNCXR_0328_1.png": "test",
    }
    text = "\n".join(corpus.notices)
    assert "1 images are in none of the lists" in text and "lists are not here (CHNCXR_0400_1)" in text
    (tmp_path / "ShenzenCXR_valid_data.txt").unlink()
    corpus = read("shenzhen", tmp_path)
    assert len(corpus) == 5 and any("ShenzenCXR_valid_data.txt is missing" in notice for notice in corpus.notices)


def test_lists_that_contradict_are_refused(tmp_path):
    lists(write(tmp_path), ["CHNCXR_0001_0"], ["CHNCXR_0002_0"], ["CHNCXR_0001_0"])
    with pytest.raises(SharedPatients, match=r"CHNCXR_0001_0\.png is in the lists train and test"):
        read("shenzhen", tmp_path)
    lists(tmp_path, ["CHNCXR_0001_0"], ["CHNCXR_0002_0"], ["CHNCXR_0327_1"])
    (tmp_path / "ShenzenCXR_test_data.txt").write_text("CHNCXR_0327_1.png,0\n")
    with pytest.raises(DatasetError, match="the label '0', and the name says 1"):
        read("shenzhen", tmp_path)


def test_lung_masks_of_others_and_regions_of_later_releases(tmp_path):
    write(tmp_path)
    mask = np.zeros((8, 8), np.uint8)
    for name in ("CHNCXR_0001_0", "CHNCXR_0500_1"):
        (tmp_path / "mask").mkdir(exist_ok=True)
        Image.fromarray(mask).save(tmp_path / "mask" / f"{name}_mask.png")
    save_grey(tmp_path / "Annotations-2" / "masks" / "CHNCXR_0327_1.png", 9)
    corpus = read("shenzhen", tmp_path)
    records = by_name(corpus)
    assert corpus.structures == ("lung",)
    assert records["CHNCXR_0001_0.png"].masks == {"lung": f"{tmp_path}/mask/CHNCXR_0001_0_mask.png"}
    assert records["CHNCXR_0327_1.png"].image.endswith("CXR_png/CHNCXR_0327_1.png") and len(records) == 5
    assert any("1 masks belong to no image here (mask/CHNCXR_0500_1_mask.png)" in notice for notice in corpus.notices)


def test_a_folder_of_something_else(tmp_path):
    save_grey(tmp_path / "one.png")
    with pytest.raises(DatasetError, match=r"no image in it is named like CHNCXR_0001_0\.png.*nlm\.nih\.gov"):
        read("shenzhen", tmp_path)
