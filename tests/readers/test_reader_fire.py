import shutil

import pytest
from pictures import by_name, save_grey

from common.files import DatasetError
from common.readers import read
from common.readers.inspection import inspect
from common.readers.recognition import the_one

# pair -> the pictures that it shows, by their seeds; all but P01 are joined by pictures that two of them share
PAIRS = {"A01": (1, 2), "A02": (9, 10), "A03": (1, 3), "P01": (4, 5), "P02": (9, 11), "S01": (3, 6), "S71": (2, 11)}
POINTS = 10


def write(root):
    base = root / "FIRE"
    (base / "Ground Truth").mkdir(parents=True)
    for pair, seeds in PAIRS.items():
        for place, seed in enumerate(seeds, 1):
            save_grey(base / "Images" / f"{pair}_{place}.jpg", seed, colours=3)
        lines = (f"{100 + n}.000000 {200 + n} {300 + n}.5 {400 + n}" for n in range(POINTS))
        (base / "Ground Truth" / f"control_points_{pair}_1_2.txt").write_text("\n".join(lines) + "\n")
    for name in ("mask.png", "feature_mask.png"):
        save_grey(base / "Masks" / name)


@pytest.fixture
def root(tmp_path):
    write(tmp_path)
    return tmp_path


def test_points_of_a_pair_have_the_same_names(root):
    corpus = read("fire", root)
    assert corpus.landmarks == tuple(f"{n:02}" for n in range(1, POINTS + 1)) and len(corpus) == 14
    records = by_name(corpus)
    first, second = records["P01_1.jpg"], records["P01_2.jpg"]
    assert first.study_id == second.study_id == "P01"
    assert first.landmarks["03"] == (202 / 2912, 102 / 2912)  # x comes first
    assert second.landmarks["03"] == (402 / 2912, 302.5 / 2912)
    assert set(first.landmarks) == set(second.landmarks) == set(corpus.landmarks)
    assert [r.image[-5] for r in corpus.records if r.study_id == "P01"] == ["1", "2"]
    assert the_one(root) == "fire"


def test_all_is_for_testing_and_shared_images_are_one_patient(root):
    corpus = read("fire", root)
    assert {record.split for record in corpus.records} == {"test"}
    patients = {record.study_id: record.patient_id for record in corpus.records}
    assert patients == {pair: "P01" if pair == "P01" else "A01" for pair in PAIRS}


def test_one_field_of_view_stands_for_all(root):
    corpus = read("fire", root)
    assert corpus.structures == ("field_of_view",)
    assert {record.masks["field_of_view"] for record in corpus.records} == {str(root / "FIRE" / "Masks" / "mask.png")}
    (root / "FIRE" / "Masks" / "mask.png").unlink()
    corpus = read("fire", root)
    assert corpus.structures == () and any("mask.png is missing" in notice for notice in corpus.notices)


def test_an_archive_in_itself_counts_once(root):
    shutil.copytree(root / "FIRE", root / "again")
    (root / "again").rename(root / "FIRE" / "FIRE")
    corpus = read("fire", root)
    assert len(corpus) == 14 and any("copies in nested folders" in notice for notice in corpus.notices)


def test_half_pairs_and_pairs_without_points_are_said(root):
    (root / "FIRE" / "Images" / "S71_2.jpg").unlink()
    (root / "FIRE" / "Ground Truth" / "control_points_P01_1_2.txt").unlink()
    corpus = read("fire", root)
    records, text = by_name(corpus), "\n".join(corpus.notices)
    assert not records["S71_1.jpg"].landmarks and not records["P01_1.jpg"].landmarks
    assert "1 pairs have control points and lack an image (S71)" in text
    assert "1 pairs have no control points (P01)" in text


@pytest.mark.parametrize("line", ["1 2 3", "1 2 3 x", "1 2 3 2913", "-1 2 3 4", "1 2 3 4 5", "1,2,3,4"])
def test_what_is_no_pair_of_points_is_refused_by_line(root, line):
    path = root / "FIRE" / "Ground Truth" / "control_points_A01_1_2.txt"
    path.write_text(f"1 2 3 4\n{line}\n")
    with pytest.raises(DatasetError, match=r"control_points_A01_1_2\.txt: line 2: .* is not x y x y within 0 to 2912"):
        read("fire", root)


def test_what_is_unreadable_or_no_image_of_fire_is_named(root, tmp_path):
    (root / "FIRE" / "Images" / "S01_1.jpg").write_bytes(b"\xff\xd8\xff")
    assert "S01_1.jpg" in inspect(by_name(read("fire", root))["S01_1.jpg"]).problems[0]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"no image in it is named like P07_1\.jpg"):
        read("fire", tmp_path / "empty")
