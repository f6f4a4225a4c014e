import numpy as np
import pytest
from pictures import by_name

from common.files import DatasetError
from common.readers import read
from common.readers.inspection import inspect
from common.readers.recognition import the_one

HEADER = "height,label,img_name,width,x,y"  # as distributed: neither in order of x, y nor of an image's name first
LINES = ("128,1,n0001.mha,64,256,512", "32,1,n0001.mha,32,0,0", "10,1,n0002.mha,20,30,40", "0,0,c0001.mha,0,0,0")


def mha(path, seed, size=1024):
    """A picture of 12 bits, as SimpleITK writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 4000, (size, size), np.uint16)
    header = (
        f"ObjectType = Image\nNDims = 2\nBinaryData = True\nBinaryDataByteOrderMSB = False\nDimSize = {size} {size}"
    )
    header += "\nElementSpacing = 1 1\nElementType = MET_USHORT\nElementDataFile = LOCAL\n"
    path.write_bytes(header.encode() + values.astype("<u2").tobytes())


def write(folder, lines=LINES):
    for number, name in enumerate(dict.fromkeys(line.split(",")[2] for line in lines)):
        mha(folder / "images" / name, number, 64)
    (folder / "metadata.csv").write_text("\n".join((HEADER, *lines)))
    return folder


@pytest.fixture
def root(tmp_path):
    write(tmp_path / "node21" / "cxr_images" / "proccessed_data", (*LINES, "0,0,c0002.mha,0,0,0"))
    mha(tmp_path / "node21" / "cxr_images" / "proccessed_data" / "images" / "n0001.mha", 1)
    return tmp_path / "node21"


def test_labels_and_boxes_of_the_processed_frame(root):
    corpus = read("node21", root)
    records = by_name(corpus)
    assert corpus.findings == ("Nodule",) and len(records) == 4
    first, second = records["n0001.mha"].boxes
    assert (first.finding, first.top, first.left, first.bottom, first.right) == ("Nodule", 0.5, 0.25, 0.625, 0.3125)
    assert (second.top, second.left, second.bottom, second.right) == (0, 0, 1 / 32, 1 / 32)
    assert {name: record.labels for name, record in records.items()} == {
        "n0001.mha": (1,), "n0002.mha": (1,), "c0001.mha": (0,), "c0002.mha": (0,)
    }  # fmt: skip
    assert not records["c0001.mha"].boxes and the_one(root) == "node21"


def test_the_original_images_are_not_read_beside_the_processed(root):
    write(root / "cxr_images" / "original_data", ("9,1,n0001.mha,9,1,1",))
    corpus = read("node21", root)
    assert len(corpus) == 4 and all("proccessed_data" in record.image for record in corpus.records)
    (root / "cxr_images" / "proccessed_data" / "metadata.csv").unlink()
    assert any("frame boxes may not be in" in notice for notice in read("node21", root).notices)


def test_splits_are_drawn_and_images_are_their_own_patients(root):
    corpus = read("node21", root, test_fraction=0.25, val_fraction=0.34)
    assert sorted(record.split for record in corpus.records) == ["test", "train", "train", "val"]
    assert len({record.patient_id for record in corpus.records}) == 4


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0,1,c0002.mha,0,0,0", "line 6: c0002.mha has the label '1' and a box of 0 x 0"),
        ("5,0,c0002.mha,5,1,1", "line 6: c0002.mha has the label '0' and a box of 5 x 5"),
        ("5,2,c0002.mha,5,1,1", "the label '2'"),
        ("0,0,n0002.mha,0,0,0", "n0002.mha has other label than on another line"),
        ("5,1,n0002.mha,5,900,900", "has no part inside the image"),
        ("5,1,n0002.mha,wide,1,1", "line 6, n0002.mha: .* is no box"),
    ],
)
def test_what_cannot_be_is_refused_by_line(root, line, message):
    path = root / "cxr_images" / "proccessed_data" / "metadata.csv"
    path.write_text("\n".join((HEADER, *LINES, line)))
    with pytest.raises(DatasetError, match=message):
        read("node21", root)


def test_what_is_missing_or_strange_is_named(root, tmp_path):
    folder = root / "cxr_images" / "proccessed_data"
    (folder / "images" / "n0002.mha").unlink()
    mha(folder / "images" / "x1.mha", 2, 8)
    (folder / "images" / "c0001.mha").write_bytes(b"DimSize = 8 8 3\nElementType = MET_USHORT\n")
    corpus = read("node21", root)
    text = "\n".join(corpus.notices)
    assert "names 1 images that are not here (n0002.mha)" in text and "x1.mha" in text
    (problem,) = inspect(by_name(corpus)["c0001.mha"]).problems
    assert "c0001.mha: it holds 3 slices" in problem
    path = folder / "metadata.csv"
    path.write_text(path.read_text().replace("img_name", "image"))
    with pytest.raises(DatasetError, match="no column 'img_name'"):
        read("node21", root)
    path.unlink()
    with pytest.raises(DatasetError, match=r"no metadata\.csv in it"):
        read("node21", root)
