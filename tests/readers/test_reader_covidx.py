import pytest
from pictures import by_name, save_grey

from common.files import DatasetError
from common.readers import read
from common.readers.inspection import inspect
from common.readers.recognition import the_one

TRAIN = (
    "1 10.1016-slash-j.crad.2020.04.002-a.png COVID-19 cohen",
    "p2 COVID (1).png COVID-19 sirm",  # a name with a blank, as of versions 7 and 8
    "p2 COVID (2) late.JPG positive sirm",  # as the first list of 9A had it
    "cf74c8e6 cf74c8e6-e5ce.jpg pneumonia rsna",
    "c0f74558 c0f74558-a0c8.jpg normal rnsa",  # the publisher's slip
    "MIDRC-1 abd series-1.jpeg COVID-19 stonybrook",
)
TEST = ("8a0 8a0-1.png normal rsna", "COVID-00001 COVID-00001.jpg COVID-19 stonybrook", "9b1 9b1-2.png pneumonia rsna")


def write(root, version="_COVIDx9A", train=TRAIN, test=TEST, folder="test"):
    root.mkdir(exist_ok=True)
    for split, lines, place in (("train", train, "train"), ("test", test, folder)):
        (root / f"{split}{version}.txt").write_text("\n".join(lines) + "\n")
        for number, line in enumerate(lines):
            name = " ".join(line.split(" ")[1:-2])
            save_grey(root / place / name, number + 100 * len(split), colours=3 if number % 2 else 1)
    return root


@pytest.fixture
def root(tmp_path):
    return write(tmp_path / "covidx")


def test_classes_patients_and_splits(root):
    corpus = read("covidx", root, val_fraction=0.0)
    records = by_name(corpus)
    assert corpus.findings == ("normal", "pneumonia", "COVID-19") and len(records) == 9
    assert records["c0f74558-a0c8.jpg"].labels == (1, 0, 0) and records["cf74c8e6-e5ce.jpg"].labels == (0, 1, 0)
    assert records["8a0-1.png"].split == "test" and records["COVID-00001.jpg"].labels == (0, 0, 1)
    assert records["abd series-1.jpeg"].patient_id == "midrc-1"
    assert the_one(root) == "covidx"


def test_names_hold_blanks_and_the_first_list_says_positive(root):
    records = by_name(read("covidx", root, val_fraction=0.0))
    assert records["COVID (1).png"].labels == records["COVID (2) late.JPG"].labels == (0, 0, 1)
    assert records["COVID (1).png"].patient_id == records["COVID (2) late.JPG"].patient_id == "p2"


def test_sources_are_left_out_also_the_misspelled_one(root):
    corpus = read("covidx", root, without_sources=["stonybrook"], val_fraction=0.0)
    assert "abd series-1.jpeg" not in by_name(corpus) and "COVID-00001.jpg" not in by_name(corpus)
    assert any("1 lines of train_COVIDx9A.txt left out for their source (stonybrook)" in n for n in corpus.notices)
    names = by_name(read("covidx", root, without_sources=["RSNA"], val_fraction=0.0))
    assert not {"c0f74558-a0c8.jpg", "cf74c8e6-e5ce.jpg", "8a0-1.png"} & set(names) and len(names) == 5


def test_binary_lists_older_folders_and_a_list_for_validation(tmp_path):
    train = ("1 a.png positive cohen", "2 b.png negative rsna")
    write(tmp_path, "", train, ("3 c.png positive cohen", "4 d.png negative rsna"), "competition_test")
    (tmp_path / "val.txt").write_text("5 e f.png negative sirm\n")
    save_grey(tmp_path / "val" / "e f.png", 7)
    corpus = read("covidx", tmp_path, val_fraction=0.5)
    assert corpus.findings == ("negative", "positive")
    found = {name: (record.split, record.labels) for name, record in by_name(corpus).items()}
    assert found["a.png"] == ("train", (0, 1)) and found["e f.png"] == ("val", (1, 0))
    assert found["c.png"] == ("test", (0, 1)) and found["b.png"][0] == "train"


def test_one_version_of_several_is_named(root):
    write(root, "_COVIDx8B", ("1 x y.png negative cohen",), ("z z.png positive cohen",))
    with pytest.raises(DatasetError, match=r"version: .*'8B', '9A'"):
        read("covidx", root)
    assert len(read("covidx", root, version="8b")) == 2
    with pytest.raises(DatasetError, match=r"no lists of '7A'.*'8B', '9A'"):
        read("covidx", root, version="7A")


def test_the_image_of_the_lists_split_is_taken(root):
    save_grey(root / "train" / "8a0-1.png", 77)
    corpus = read("covidx", root)
    assert "/test/" in by_name(corpus)["8a0-1.png"].image
    assert any("1 files of a name that is there twice" in notice for notice in corpus.notices)


def test_validation_is_drawn_by_patient(root):
    corpus = read("covidx", root, val_fraction=0.5)
    train = {(record.patient_id, record.split) for record in corpus.records if record.split != "test"}
    assert len(train) == 5 and sum(split == "val" for _, split in train) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x x.png influenza cohen", "has the class 'influenza'.*Known are normal, pneumonia, COVID-19"),
        ("x x.png normal", r"'x x\.png normal' is not `patient file label source`"),
        ("9 COVID (1).png normal cohen", "contradicts"),
        ("8a0 8a0-9.png normal rsna", "8a0 in test and train"),
    ],
)
def test_what_cannot_be_is_refused(root, line, message):
    path = root / "train_COVIDx9A.txt"
    path.write_text(path.read_text() + line + "\n")
    save_grey(root / "train" / " ".join(line.split(" ")[1:-2] or ["x.png"]), 5)
    with pytest.raises(DatasetError, match=message):
        read("covidx", root)


def test_what_is_missing_is_named(root, tmp_path):
    save_grey(root / "train" / "poster.png", 3)
    (root / "train" / "cf74c8e6-e5ce.jpg").unlink()
    (root / "train" / "c0f74558-a0c8.jpg").write_bytes(b"\xff\xd8\xff cut")
    corpus = read("covidx", root)
    text = "\n".join(corpus.notices)
    assert "1 images are in no list (train/poster.png)" in text and "cf74c8e6-e5ce.jpg" in text
    (problem,) = inspect(by_name(corpus)["c0f74558-a0c8.jpg"]).problems
    assert "c0f74558-a0c8.jpg" in problem
    (root / "test_COVIDx9A.txt").unlink()
    assert any("the test list is missing" in notice for notice in read("covidx", root).notices)
    with pytest.raises(DatasetError, match=r"no list like train_COVIDx9A\.txt"):
        read("covidx", root / "train")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "train.txt").write_text("1 a.png normal cohen\n")
    with pytest.raises(DatasetError, match="none of them is here"):
        read("covidx", tmp_path / "bare")
