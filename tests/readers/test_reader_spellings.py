"""Names of one image in several spellings: they are one where the same is said, and refused where not."""

import numpy as np
import pytest
from PIL import Image

from common.files import DatasetError
from common.readers import read

SICK = {"labels_csv": "t.csv", "label_columns": ["sick"], "val_fraction": 0.0, "test_fraction": 0.0}


@pytest.fixture
def root(tmp_path):
    for seed, name in enumerate(("a/0.png", "b/1.png")):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (8, 8), np.uint8)).save(tmp_path / name)
    return tmp_path


def labels(root, *lines, **options):
    (root / "t.csv").write_text("\n".join(("image,sick", *lines)))
    corpus = read("folder", root, **SICK, **options)
    return [record.labels[0] for record in corpus.records], "\n".join(corpus.notices)


SPELLINGS = [("a/0.png", "0.png"), ("0.png", "0"), ("a/0.png", "a/0"), ("0.png", "./0.png"), ("a/0.png", r"a\0.png")]


@pytest.mark.parametrize("names", SPELLINGS + [pair[::-1] for pair in SPELLINGS])
def test_two_spellings_of_one_image(root, names):
    found, text = labels(root, f"{names[0]},1", f"{names[1]},1", "b/1.png,0")
    assert found == [1.0, 0.0] and "not here" not in text and "say the same" in text
    with pytest.raises(DatasetError, match=r"t\.csv: 1 images are named twice, and not the same") as error:
        labels(root, f"{names[0]},1", f"{names[1]},0", "b/1.png,0")
    assert all(name in str(error.value) for name in names)


def test_another_file_of_like_name_is_no_spelling(root):
    found, text = labels(root, "a/0.png,1", "c/0.png,0", "a/0.jpg,0", "b/1.png,0")
    assert found == [1.0, 0.0] and "names 2 images that are not here (c/0.png, a/0.jpg)" in text


def test_boxes_and_landmarks_of_all_spellings(root):
    (root / "b.csv").write_text("image,finding,x,y,width,height\na/0.png,M,0,0,4,4\n0.png,N,4,4,4,4\n")
    (root / "l.csv").write_text("image,landmark,row,col\na/0.png,carina,0.25,0.5\n0,apex,0.5,0.5\n")
    record = read("folder", root, boxes="b.csv", landmarks_csv="l.csv").records[0]
    assert {box.finding for box in record.boxes} == {"M", "N"}
    assert record.landmarks == {"carina": (0.25, 0.5), "apex": (0.5, 0.5)}
    (root / "l.csv").write_text("image,landmark,row,col\na/0.png,carina,0.25,0.5\n0,carina,0.5,0.5\n")
    with pytest.raises(DatasetError, match=r"0 has another place of carina than a/0\.png"):
        read("folder", root, landmarks_csv="l.csv")
