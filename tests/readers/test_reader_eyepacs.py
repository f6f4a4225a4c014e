import zipfile

import numpy as np
import pytest
from PIL import Image

from common.files import DatasetError
from common.images import open_store
from common.readers import find_reader, read
from common.readers.fundus.eyepacs import GRADES
from common.readers.inspection import inspect

TRAIN, TEST = range(10, 20), range(1, 7)


def write(root, solution=True):
    """Write the publisher's layout: both eyes of ten patients for training and of six for testing."""
    for split, patients in (("train", TRAIN), ("test", TEST)):
        (root / split).mkdir(parents=True)
        for patient in patients:
            for eye in ("left", "right"):
                pixels = np.random.default_rng(patient).integers(0, 255, (12, 18, 3), np.uint8)
                Image.fromarray(pixels).save(root / split / f"{patient}_{eye}.jpeg")
    rows = [f"{patient}_{eye},{patient % 5}\n" for patient in TRAIN for eye in ("left", "right")]
    (root / "trainLabels.csv").write_text("image,level\n" + "".join(rows))
    if solution:
        rows = [f"{patient}_{eye},{patient % 5},Public\n" for patient in TEST for eye in ("left", "right")]
        (root / "retinopathy_solution.csv").write_text("image,level,Usage\n" + "".join(rows))
    return root


@pytest.fixture
def root(tmp_path):
    return write(tmp_path / "eyepacs")


def by_name(corpus):
    return {record.image.split("/")[-1]: record for record in corpus.records}


def test_grades_patients_and_splits(root):
    corpus = read("eyepacs", root, val_fraction=0.2)
    records = by_name(corpus)
    assert corpus.findings == GRADES and len(records) == 32
    assert records["13_left.jpeg"].labels == (0, 0, 0, 1, 0)
    assert records["5_right.jpeg"].labels == (1, 0, 0, 0, 0)
    for record in corpus.records:
        name = record.image.split("/")[-1]
        assert record.patient_id == name.split("_")[0]
        assert (record.split == "test") == ("/test/" in record.image)
    splits = {(record.patient_id, record.split) for record in corpus.records}
    assert len(splits) == 16  # both eyes of a patient in one split
    assert sum(split == "val" for _, split in splits) == 2


def test_the_published_counts_are_compared(root):
    text = "\n".join(read("eyepacs", root).notices)
    assert "32 images here, 88,702 published" in text
    assert "20 train images here, 35,126 published" in text
    facts = find_reader("eyepacs").publication
    assert sum(facts.splits.values()) == facts.images == 2 * facts.patients


def test_tables_may_be_missing_packed_or_name_more(root):
    (root / "retinopathy_solution.csv").unlink()
    table = (root / "trainLabels.csv").read_text() + "99_left,0\n"
    with zipfile.ZipFile(root / "trainLabels.csv.zip", "w") as archive:
        archive.writestr("trainLabels.csv", table)
    (root / "trainLabels.csv").unlink()
    corpus = read("eyepacs", root)
    text = "\n".join(corpus.notices)
    assert "retinopathy_solution.csv is missing" in text
    assert "1 images of trainLabels.csv.zip are not here (99_left)" in text
    assert all((record.labels is None) == (record.split == "test") for record in corpus.records)

    (root / "trainLabels.csv.zip").unlink()
    corpus = read("eyepacs", root, val_fraction=0)
    assert corpus.findings == () and {record.split for record in corpus.records} == {"train", "test"}


def test_images_beside_the_folders_belong_where_their_table_says(root):
    (root / "train" / "10_left.jpeg").rename(root / "10_left.jpeg")
    assert by_name(read("eyepacs", root, val_fraction=0))["10_left.jpeg"].split == "train"
    (root / "trainLabels.csv").unlink()
    with pytest.raises(DatasetError, match=r"10_left\.jpeg: in no table"):
        read("eyepacs", root)


def test_stray_images_are_left_out_by_name(root):
    (root / "train" / "poster.jpeg").write_bytes(b"x")
    corpus = read("eyepacs", root)
    assert len(corpus) == 32 and "poster.jpeg" in "\n".join(corpus.notices)


def test_what_cannot_be_is_refused(root, tmp_path):
    (root / "test" / "10_left.jpeg").write_bytes((root / "test" / "1_left.jpeg").read_bytes())
    (root / "train" / "10_left.jpeg").unlink()
    (root / "trainLabels.csv").write_text("image,level\n10_right,7\n")
    with pytest.raises(DatasetError, match="10_right has the level '7'"):
        read("eyepacs", root)
    (root / "trainLabels.csv").write_text("image,level\n10_right,1\n")
    with pytest.raises(DatasetError, match="10 in test and train"):
        read("eyepacs", root)
    (root / "trainLabels.csv").write_text("name,level\n")
    with pytest.raises(DatasetError, match="no column 'image'"):
        read("eyepacs", root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"named like 10_left\.jpeg"):
        read("eyepacs", tmp_path / "empty")


def test_photographs_keep_their_colours(root, tmp_path):
    store = open_store(read("eyepacs", root), tmp_path / "stores", size=16, channels=3, workers=1)
    assert store.batch([0]).shape == (1, 3, 16, 16)
    assert store.batch([0])[0].float().std(0).mean() > 1


def test_all_splits_can_be_drawn_from_the_training_images(root):
    corpus = read("eyepacs", root, test_fraction=0.2, val_fraction=0.25)
    assert len(corpus) == 32
    splits = {}
    for record in corpus.records:
        splits.setdefault(record.split, set()).add(record.patient_id)
        published = "test" if "/test/" in record.image else "train"
        assert (record.labels is None) == (published == "test")
        assert published == "train" or record.split == "train"
    assert len(splits["test"]) == 2 and len(splits["val"]) == 2  # a fifth of ten, and a quarter of the rest
    assert not splits["test"] & splits["train"] and not splits["val"] & splits["train"]
    assert any("12 images of the publisher's test folder train without grades" in notice for notice in corpus.notices)
    with pytest.raises(DatasetError, match=r"test_fraction: the value is 1\.5"):
        read("eyepacs", root, test_fraction=1.5)


def test_a_black_photograph_is_left_out_by_name(root):
    Image.new("RGB", (18, 12)).save(root / "train" / "10_left.jpeg")
    record = by_name(read("eyepacs", root))["10_left.jpeg"]
    (problem,) = inspect(record).problems
    assert "10_left.jpeg: every pixel has the value 0" in problem
