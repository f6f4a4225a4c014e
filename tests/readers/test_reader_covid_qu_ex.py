import pytest
from pictures import by_name, save_grey

from common.files import DatasetError
from common.readers import read
from common.readers.inspection import inspect
from common.readers.recognition import the_one

CLASSES = ("COVID-19", "Non-COVID", "Normal")
SPLITS = {"Train": "train", "Val": "val", "Test": "test"}


def write(tree, folders):
    for place, split in enumerate(SPLITS):
        for kind, name in enumerate(CLASSES):
            for folder in folders:
                save_grey(tree / split / name / folder / f"{name.lower()}_{place}.png", 10 * place + kind)


@pytest.fixture
def root(tmp_path):
    for part, folders in (
        ("Lung Segmentation Data", ("images", "lung masks")),
        ("Infection Segmentation Data", ("images", "lung masks", "infection masks")),
    ):
        write(tmp_path / part / part, folders)
    return tmp_path


def test_splits_classes_and_masks_are_folders(root):
    corpus = read("covid_qu_ex", root)
    assert corpus.findings == CLASSES and corpus.structures == ("lung",) and len(corpus) == 9
    for record in corpus.records:
        *_, split, kind, _, name = record.image.split("/")
        assert record.split == SPLITS[split] and record.labels == tuple(float(kind == known) for known in CLASSES)
        assert record.masks["lung"].endswith(f"/Lung Segmentation Data/{split}/{kind}/lung masks/{name}")
    assert the_one(root) == "covid_qu_ex"


def test_the_tree_with_infections_is_read_by_itself(root):
    corpus = read("covid_qu_ex", root, part="infection")
    assert corpus.structures == ("lung", "infection") and len(corpus) == 9
    assert all("/Infection Segmentation Data/" in record.image for record in corpus.records)
    record = by_name(corpus)["covid-19_2.png"]
    assert record.masks["infection"].endswith("Test/COVID-19/infection masks/covid-19_2.png")
    with pytest.raises(DatasetError, match="part: the value is 'both'"):
        read("covid_qu_ex", root, part="both")


def test_a_tree_alone_or_its_inside_will_do(root):
    inside = root / "Lung Segmentation Data" / "Lung Segmentation Data"
    assert len(read("covid_qu_ex", inside)) == 9
    assert {record.split for record in read("covid_qu_ex", inside / "..").records} == {"train", "val", "test"}


def test_what_does_not_belong_is_named(root):
    inside = root / "Lung Segmentation Data" / "Lung Segmentation Data"
    save_grey(inside / "Test" / "Flu" / "images" / "flu_1.png")
    save_grey(inside / "Test" / "Normal" / "lung masks" / "normal_9.png")
    (inside / "Val" / "Normal" / "images" / "normal_1.png").write_bytes(b"")
    corpus = read("covid_qu_ex", root)
    text = "\n".join(corpus.notices)
    assert "flu_1.png" in text and "1 masks belong to no image here (normal_9.png)" in text
    assert "normal_1.png: the file is empty" in inspect(by_name(corpus)["normal_1.png"]).problems[0]
    with pytest.raises(
        DatasetError, match="no image of Infection Segmentation Data lies in folders like Train/COVID-19"
    ):
        read("covid_qu_ex", inside / "Test" / "Flu", part="infection")


def test_an_image_in_two_splits_is_refused(root):
    inside = root / "Lung Segmentation Data" / "Lung Segmentation Data"
    save_grey(inside / "Test" / "Normal" / "images" / "normal_0.png", 99)
    with pytest.raises(DatasetError, match="Normal/normal_0 in test and train"):
        read("covid_qu_ex", root)
