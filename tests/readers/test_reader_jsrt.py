from collections import Counter

import numpy as np
import pytest
from pictures import by_name, save_grey
from PIL import Image

from common.files import DatasetError
from common.images import read_mask
from common.readers import read

PLACES = {  # rows and columns in 64 x 64, and the right lung is on the left of the image
    "heart": (30, 50, 28, 44),
    "right lung": (8, 56, 4, 26),
    "left lung": (8, 56, 40, 60),
    "right clavicle": (4, 8, 6, 28),
    "left clavicle": (4, 8, 38, 58),
}
SEVERAL = [f"JPCLN{number:03}" for number in range(1, 7)] + [f"JPCNN{number:03}" for number in range(1, 5)]


def rectangle(name):
    top, bottom, left, right = PLACES[name]
    mask = np.zeros((64, 64), np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


def save_masks(root, name, underscores=False):
    for structure in PLACES:
        folder = root / "scr" / fold(name) / "masks" / structure.replace(" ", "_" if underscores else " ")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rectangle(structure)).convert("P").save(folder / f"{name}.gif")


def save_outlines(root, name, sections=None):
    """The rectangles again, sixteen times as large."""
    text = "[image]\n"
    for structure, (top, bottom, left, right) in PLACES.items():
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        points = ",\n".join(f"{{ {16 * x:.2f}, {16 * y:.2f} }}" for x, y in corners)
        text += f"[label={structure}]\n{{\n{points}\n}}\n"
    path = root / "scr" / fold(name) / "landmarks" / f"{name}.pfs"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if sections is None else sections)


def fold(name):
    return "fold1" if int(name[-3:]) % 2 else "fold2"


def write(root, names=SEVERAL, masks=True):
    for number, name in enumerate(names):
        save_grey(root / "All247images" / f"{name}.png", number, (64, 64))
        if masks:
            save_masks(root, name, underscores=number % 2 == 1)
    folder = root / "Clinical_Information"
    folder.mkdir(exist_ok=True)
    nodule = "{}.IMG\t5\t35.0\t{}\tFemale\t1000\t500\tmalignant\tl.upper lobe\tlung cancer"
    with_one = [nodule.format(name, "?" if name.endswith("2") else "53") for name in names if "LN" in name]
    (folder / "CLNDAT_EN.txt").write_bytes("\r".join(with_one).encode())
    without = [f"{name}.IMG  47  Male  non-nodule" for name in names if "NN" in name]
    (folder / "CNNDAT_EN.TXT").write_bytes("\r".join(without).encode())
    return root


def test_labels_boxes_and_people(tmp_path):
    records = by_name(read("jsrt", write(tmp_path)))
    nodule, unknown, healthy = (records[f"{name}.png"] for name in ("JPCLN001", "JPCLN002", "JPCNN001"))
    assert (nodule.labels, healthy.labels) == ((1.0,), (0.0,))
    assert (nodule.sex, nodule.age, unknown.age, healthy.sex, healthy.age) == ("F", 53, None, "M", 47)
    assert (nodule.patient_id, nodule.view) == ("JPCLN001", "PA")
    (box,) = nodule.boxes  # 35 mm are 200 pixels around row 500 and column 1000
    assert (box.top, box.bottom, box.left, box.right) == pytest.approx(
        (400 / 2048, 600 / 2048, 900 / 2048, 1100 / 2048)
    )
    assert healthy.boxes == () and nodule.pixel_spacing == (0.175 * 32,) * 2


def test_masks_as_published_and_joined(tmp_path):
    corpus = read("jsrt", write(tmp_path))
    sides = ("lung_left", "lung_right", "clavicle_left", "clavicle_right")
    assert corpus.structures == ("heart", *sides, "lung", "clavicle")
    for name in ("JPCLN001.png", "JPCLN002.png"):  # blanks and underscores
        masks = {structure: read_mask(path) for structure, path in by_name(corpus)[name].masks.items()}
        assert (masks["heart"] * 255 == rectangle("heart")).all()
        assert (masks["lung_right"] * 255 == rectangle("right lung")).all()
        assert (masks["lung"] * 255 == rectangle("right lung") | rectangle("left lung")).all()
        assert (masks["clavicle"] * 255 == rectangle("right clavicle") | rectangle("left clavicle")).all()
    again = read("jsrt", tmp_path)
    assert again.records == corpus.records and again.notices == corpus.notices


def test_outlines_are_drawn_where_masks_are_missing(tmp_path):
    write(tmp_path, masks=False)
    save_outlines(tmp_path, "JPCLN001")
    save_outlines(tmp_path, "JPCLN002")
    save_masks(tmp_path, "JPCLN002")
    corpus = read("jsrt", tmp_path, masks_dir=f"{tmp_path}/drawn")
    records = by_name(corpus)
    drawn = {structure: read_mask(path) for structure, path in records["JPCLN001.png"].masks.items()}
    larger = {name: rectangle(name).repeat(16, 0).repeat(16, 1) for name in PLACES}
    assert (drawn["clavicle_left"] * 255 == larger["left clavicle"]).all()
    assert (drawn["lung"] * 255 == larger["left lung"] | larger["right lung"]).all()
    assert records["JPCLN002.png"].masks["heart"].endswith("scr/fold2/masks/heart/JPCLN002.gif")
    assert read_mask(records["JPCLN002.png"].masks["lung"]).shape == (64, 64)
    assert any(notice.startswith("8 images have no masks of SCR (JPCLN003") for notice in corpus.notices)


def test_folds_are_those_of_the_folders(tmp_path):
    write(tmp_path, masks=False)
    records = by_name(read("jsrt", tmp_path, split="folds", val_fraction=0.0))
    assert {name: record.split for name, record in records.items()} == {
        f"{name}.png": {"fold1": "train", "fold2": "test"}[fold(name)] for name in SEVERAL
    }
    folder = tmp_path / "scr" / "fold2" / "masks" / "heart"
    folder.mkdir(parents=True)
    Image.fromarray(rectangle("heart")).save(folder / "JPCLN003.gif")
    splits = Counter(record.split for record in read("jsrt", tmp_path, split="folds").records)
    assert splits == {"train": 2, "val": 2, "test": 6}  # one of each stratum to validate on


@pytest.mark.parametrize(
    ("split", "counts"),
    [
        ("drawn", {"train": 178, "val": 19, "test": 50}),  # rounded in both strata
        ("ace", {"train": 173, "val": 25, "test": 49}),
        ("folds", {"train": 111, "val": 13, "test": 123}),
    ],
)
def test_splits_of_the_papers(tmp_path, split, counts):
    names = [f"JPCLN{number:03}" for number in range(1, 155)] + [f"JPCNN{number:03}" for number in range(1, 94)]
    for number, name in enumerate(names):
        save_grey(tmp_path / f"{name}.IMG.png", number, (2, 2))  # as some redistributions are named
    corpus = read("jsrt", tmp_path, split=split)
    assert Counter(record.split for record in corpus.records) == counts
    assert not any("published" in notice for notice in corpus.notices)
    ill = {name: sum(r.labels[0] for r in corpus.records if r.split == name) / count for name, count in counts.items()}
    assert all(share == pytest.approx(154 / 247, abs=0.02) for share in ill.values())


def test_raw_files_go_before_their_copies(tmp_path):
    write(tmp_path, SEVERAL[:2])
    with (tmp_path / "JPCLN001.IMG").open("wb") as file:
        file.truncate(2048 * 2048 * 2)
    save_grey(tmp_path / "figure.png")
    corpus = read("jsrt", tmp_path)
    assert by_name(corpus)["JPCLN001.IMG"].pixel_spacing == (0.175, 0.175) and len(corpus) == 2
    assert any("1 images are not named like JPCLN001 and left out (figure.png)" in n for n in corpus.notices)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no outline", r"JPCLN001\.pfs: no section \[label=\.\.\.\]"),
        ("[label=spine]\n{ 1, 2 },\n{ 3, 4 },\n{ 5, 6 }", r"'spine' with 3 points"),
        ("[label=heart]\n{ 1, 2 },\n{ 3, 4 }", r"'heart' with 2 points"),
        ("[label=heart]\n{ 2000, 0 },\n{ 2010, 0 },\n{ 2010, 9 }", r"heart: an outline .* outside the image of 1024"),
    ],
)
def test_bad_outlines(tmp_path, text, message):
    save_outlines(write(tmp_path, SEVERAL[:2], masks=False), "JPCLN001", text)
    with pytest.raises(DatasetError, match=message):
        read("jsrt", tmp_path)


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        ("CLNDAT_EN.txt", "JPCLN001.IMG\t5\t15\t53\tMale\tx\t692", r"is no line of name, .*'x' is no number"),
        ("CLNDAT_EN.txt", "JPCLN001.IMG\t5\t15", "is no line of name"),
        ("CLNDAT_EN.txt", "JPCLN001.IMG\t5\t15\t53\tMale\t3000\t692", r"JPCLN001: the box .* no part inside"),
        ("CNNDAT_EN.TXT", "JPCNN001.IMG", "'JPCNN001.IMG' is no line of name, age and sex"),
    ],
)
def test_bad_lines(tmp_path, table, line, message):
    write(tmp_path, masks=False)
    (tmp_path / "Clinical_Information" / table).write_text(line)
    with pytest.raises(DatasetError, match=message):
        read("jsrt", tmp_path)


def test_options_and_folders_that_do_not_do(tmp_path):
    with pytest.raises(DatasetError, match="no image in it is named like JPCLN001"):
        read("jsrt", tmp_path)
    with pytest.raises(DatasetError, match=r"'half'.* one of drawn, ace, folds"):
        read("jsrt", tmp_path, split="half")
    with pytest.raises(DatasetError, match="fold 2 tests"):
        read("jsrt", tmp_path, split="folds", test_fraction=0.1)
    write(tmp_path, SEVERAL[:2])
    for path in (tmp_path / "Clinical_Information").iterdir():
        path.unlink()
    text = "\n".join(read("jsrt", tmp_path).notices)
    assert "CLNDAT_EN.txt is missing: no sex and age, and no boxes of its images" in text and "CNNDAT_EN.TXT" in text
