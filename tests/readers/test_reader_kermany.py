import shutil

import pytest
from pictures import by_name, save_grey

from common.files import DatasetError
from common.readers import read
from common.readers.inspection import inspect

# As Kaggle has them; person1 of test is not person1 of train, and the last has a number more.
NAMES = {
    "train/NORMAL": ("IM-0115-0001", "NORMAL2-IM-0115-0001", "IM-0128-0001", "IM-0128-0001-0002"),
    "train/PNEUMONIA": ("person1_bacteria_1", "person1_virus_6", "person2_bacteria_3", "person447_virus_921_1"),
    "val/NORMAL": ("NORMAL2-IM-1427-0001",),
    "val/PNEUMONIA": ("person1946_bacteria_4874",),
    "test/NORMAL": ("IM-0001-0001",),
    "test/PNEUMONIA": ("person1_virus_7", "person100_bacteria_475"),
}


def write(base):
    for number, (folder, names) in enumerate(NAMES.items()):
        for place, name in enumerate(names):
            save_grey(base / folder / f"{name}.jpeg", 10 * number + place, colours=3 if place == 1 else 1)
    return base


@pytest.fixture
def root(tmp_path):
    write(tmp_path / "chest_xray")
    return tmp_path


def test_classes_come_from_folders_and_causes_from_names(root):
    corpus = read("kermany", root)
    assert corpus.findings == ("NORMAL", "PNEUMONIA") and len(corpus) == 13
    for record in corpus.records:
        assert record.labels == ((1, 0) if "/NORMAL/" in record.image else (0, 1)) and record.view == "AP"
    causes = read("kermany", root, causes=True)
    assert causes.findings == ("NORMAL", "BACTERIA", "VIRUS")
    records = by_name(causes)
    assert records["person1_bacteria_1.jpeg"].labels == (0, 1, 0)
    assert records["person1_virus_6.jpeg"].labels == (0, 0, 1)
    assert records["NORMAL2-IM-0115-0001.jpeg"].labels == (1, 0, 0)


def test_patients_are_persons_or_series_of_their_split(root):
    corpus = read("kermany", root, val_fraction=0.0)
    patients = {name: record.patient_id for name, record in by_name(corpus).items()}
    assert patients["person1_bacteria_1.jpeg"] == patients["person1_virus_6.jpeg"]
    assert patients["person1_virus_7.jpeg"] != patients["person1_virus_6.jpeg"]
    assert patients["IM-0128-0001.jpeg"] == patients["IM-0128-0001-0002.jpeg"]
    assert patients["IM-0115-0001.jpeg"] != patients["NORMAL2-IM-0115-0001.jpeg"]
    assert "1 patient numbers occur in two splits and are taken for different patients" in "\n".join(corpus.notices)
    with pytest.raises(DatasetError, match="person1 in test and train"):
        read("kermany", root, shared_patients="error")


def test_the_val_folder_trains_and_validation_is_drawn_by_patient(root):
    corpus = read("kermany", root, val_fraction=0.4)
    splits = {(record.patient_id, record.split) for record in corpus.records}
    assert len(splits) == len({patient for patient, _ in splits})
    assert sum(split == "test" for _, split in splits) == 3
    assert sum(split == "val" for _, split in splits) == 3  # of 8 patients
    whole = read("kermany", root, val_fraction=0.0)
    assert {record.split for record in whole.records if "/val/" in record.image} == {"train"}


def test_an_archive_that_holds_itself_counts_once(root):
    shutil.copytree(root / "chest_xray", root / "again")
    (root / "again").rename(root / "chest_xray" / "chest_xray")
    save_grey(root / "__MACOSX" / "chest_xray" / "train" / "NORMAL" / "IM-0001-0009.jpeg")
    for place in (root, root / "chest_xray"):
        corpus = read("kermany", place)
        assert len(corpus) == 13 and not any("chest_xray/chest_xray" in record.image for record in corpus.records)
        assert any("13 copies in nested folders" in notice for notice in corpus.notices)


def test_without_folders_of_splits_patients_are_drawn(root):
    for place in ("train", "val", "test"):
        shutil.copytree(root / "chest_xray" / place, root / "flat", dirs_exist_ok=True)
    corpus = read("kermany", root / "flat", test_fraction=0.3)
    assert {record.split for record in corpus.records} == {"train", "val", "test"}
    assert any("not the official split" in notice for notice in corpus.notices)
    for patient in {record.patient_id for record in corpus.records}:
        assert len({record.split for record in corpus.records if record.patient_id == patient}) == 1


def test_what_does_not_belong_is_named(root, tmp_path):
    folder = root / "chest_xray" / "train"
    save_grey(folder / "NORMAL" / "poster.jpeg")
    assert any("poster.jpeg" in notice for notice in read("kermany", root).notices)
    wrong = save_grey(folder / "COVID" / "IM-0900-0001.jpeg")
    with pytest.raises(DatasetError, match=r"IM-0900-0001\.jpeg is in the folder 'COVID'.*known are NORMAL"):
        read("kermany", root)
    wrong.rename(folder / "PNEUMONIA" / "IM-0900-0001.jpeg")
    with pytest.raises(DatasetError, match="its name says NORMAL"):
        read("kermany", root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no image in it is named like person1_bacteria_1"):
        read("kermany", tmp_path / "empty")


def test_two_pictures_of_one_name_are_refused_and_an_unreadable_one_is_named(root):
    save_grey(root / "more" / "train" / "NORMAL" / "IM-0115-0001.jpeg", 99)
    with pytest.raises(DatasetError, match="different files of one name"):
        read("kermany", root)
    shutil.rmtree(root / "more")
    (root / "chest_xray" / "test" / "NORMAL" / "IM-0001-0001.jpeg").write_bytes(b"\xff\xd8\xff cut off")
    (problem,) = inspect(by_name(read("kermany", root))["IM-0001-0001.jpeg"]).problems
    assert "IM-0001-0001.jpeg" in problem


@pytest.mark.real
def test_the_real_subset(cxr_data):
    corpus = read("kermany", cxr_data / "kermany_pneumonia_224", val_fraction=0.0)
    counts = {split: sum(record.split == split for record in corpus.records) for split in ("train", "test")}
    assert counts == {"train": 1_500, "test": 624}
    assert [sum(column) for column in zip(*(r.labels for r in corpus.records), strict=True)] == [984, 1_140]
    assert sum(record.labels == (1, 0) and record.split == "test" for record in corpus.records) == 234
    assert not any("left out" in notice for notice in corpus.notices)
    assert any("68 patient numbers occur in two splits" in notice for notice in corpus.notices)
