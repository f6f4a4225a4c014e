import gzip
import math
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.files import DatasetError
from common.files.notices import collect_notices
from common.readers import read
from common.readers.cxr._chestxray14_facts import facts
from common.readers.cxr._chestxray14_tables import boxes_of, label_table
from common.readers.cxr.chestxray14 import FINDINGS
from common.readers.support.tree import Tree

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
)


def write(root, patients=10, each=2, split_at=7):
    """Write the publisher's layout; patients below `split_at` train."""
    folder = root / "images_001" / "images"
    folder.mkdir(parents=True)
    lines, train, test = [], [], []
    for patient in range(1, patients + 1):
        for visit in range(each):
            name = f"{patient:08}_{visit:03}.png"
            Image.fromarray(np.random.default_rng(patient * 10 + visit).integers(0, 255, (8, 8), np.uint8)).save(
                folder / name
            )
            labels = "No Finding" if patient % 2 else "Mass|Hernia"
            lines.append(f"{name},{labels},{visit},{patient},50,M,{'PA' if visit else 'AP'},2000,2500,0.1,0.1\n")
            (train if patient < split_at else test).append(name)
    (root / "Data_Entry_2017_v2020.csv").write_text(HEADER + "".join(lines))
    (root / "train_val_list.txt").write_text("\n".join(train) + "\n")
    (root / "test_list.txt").write_text("\r\n".join(test))
    boxes = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n00000008_000.png,Infiltrate,256,512,128,64\n"
    (root / "BBox_List_2017.csv").write_text(boxes)
    return root


@pytest.fixture
def root(tmp_path):
    return write(tmp_path / "nih")


def by_name(corpus):
    return {record.image.split("/")[-1]: record for record in corpus.records}


def test_labels_views_boxes_and_splits(root):
    corpus = read("chestxray14", root, val_fraction=0.34)
    records = by_name(corpus)
    assert corpus.findings == FINDINGS and len(records) == 20
    positive = {name for name, value in zip(FINDINGS, records["00000008_000.png"].labels, strict=True) if value}
    assert positive == {"Mass", "Hernia"} and sum(records["00000001_000.png"].labels) == 0
    assert (records["00000001_000.png"].view, records["00000001_001.png"].view) == ("AP", "PA")
    (box,) = records["00000008_000.png"].boxes
    assert (box.finding, box.top, box.left, box.bottom, box.right) == ("Infiltration", 0.5, 0.25, 0.5625, 0.375)
    splits = {record.patient_id: record.split for record in corpus.records}
    assert {patient for patient, split in splits.items() if split == "test"} == {"7", "8", "9", "10"}
    assert sum(split == "val" for split in splits.values()) == 2


def test_sex_age_and_the_spacing_of_the_files_pixels(root):
    """The originals of 2000 x 2500 pixels, 0.1 mm each, are here 8 x 8: the same 250 mm down and 200 mm across."""
    table = root / "Data_Entry_2017_v2020.csv"
    text = table.read_text()
    for line, said in enumerate(("1,57,F", "1,148,M", "2,058Y,M", "2,006M,F")):
        before = f"{line % 2},{line // 2 + 1},50,M"
        text = text.replace(f".png,No Finding,{before}", f".png,No Finding,{line % 2},{said}")
        text = text.replace(f".png,Mass|Hernia,{before}", f".png,Mass|Hernia,{line % 2},{said}")
    table.write_text(text)
    corpus = read("chestxray14", root)
    records = by_name(corpus)
    told = [(r.sex, r.age) for r in (records[f"{patient:08}_{visit:03}.png"] for patient in (1, 2) for visit in (0, 1))]
    assert told == [("F", 57), ("M", None), ("M", 58), ("F", 0.5)]
    assert "Data_Entry_2017_v2020.csv: 1 ages are above 120 years and left out (148)" in corpus.notices
    for record in corpus.records:
        assert record.pixel_spacing == pytest.approx((250 / 8, 200 / 8))


def test_what_a_mirror_lacks_is_not_known(root):
    table = root / "Data_Entry_2017_v2020.csv"
    rows = [line.split(",") for line in table.read_text().splitlines()]
    table.write_text("\n".join(",".join(row[:4] + row[6:7]) for row in rows))
    (record, *_) = read("chestxray14", root).records
    assert (record.view, record.sex, record.age, record.pixel_spacing) == ("AP", None, None, None)


def test_images_of_several_sizes_have_no_known_spacing(root):
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(4, 16)).save(
        root / "images_001" / "images" / "00000001_000.png"
    )
    assert {record.pixel_spacing for record in read("chestxray14", root).records} == {None}


def test_a_subset_reads_with_notices(root):
    for path in sorted((root / "images_001" / "images").glob("*"))[:5]:
        path.unlink()
    corpus = read("chestxray14", root)
    assert len(corpus) == 15
    text = "\n".join(corpus.notices)
    assert "15 images here, 112,120 published" in text
    assert "5 images of Data_Entry_2017_v2020.csv are not here" in text


def test_validation_patients_hardly_move_when_images_are_added(tmp_path):
    large = read("chestxray14", write(tmp_path / "l", 60, 1, 61), val_fraction=0.2)
    small = read("chestxray14", write(tmp_path / "s", 50, 1, 51), val_fraction=0.2)
    chosen = [{r.patient_id for r in corpus.records if r.split == "val"} for corpus in (large, small)]
    assert len(chosen[0]) == 12 and len(chosen[1]) == 10
    assert len(chosen[1] - chosen[0]) <= 3
    other = read("chestxray14", tmp_path / "l", val_fraction=0.2, seed=1)
    assert {r.patient_id for r in other.records if r.split == "val"} != chosen[0]


def test_packed_tables_older_names_and_stray_files(root):
    table = root / "Data_Entry_2017_v2020.csv"
    (root / "Data_Entry_2017.csv.gz").write_bytes(gzip.compress(table.read_bytes()))
    table.unlink()
    (root / "train_val_list.txt").rename(root / "train_val_list_NIH.txt")
    (root / "images_001" / "images" / "stray.png").write_bytes(b"x")
    (root / "images_001" / "images" / "._00000001_000.png").write_bytes(b"x")
    corpus = read("chestxray14", root)
    assert len(corpus) == 20 and any("stray.png" in notice for notice in corpus.notices)


def test_files_that_the_table_does_not_name_are_no_obstacle(root):
    for number, folder in enumerate(("other/bright", "other/dark")):  # two different ones of one name
        (root / folder).mkdir(parents=True)
        Image.fromarray(np.full((4, 4), number, np.uint8)).save(root / folder / "0.png")
    corpus = read("chestxray14", root, val_fraction=0.0)
    assert len(corpus) == 20 and any("2 images are not in" in notice for notice in corpus.notices)


def test_masks_and_landmarks_beside_the_publishers_files(root):
    for structure in ("lung", "heart"):
        (root / "masks" / structure).mkdir(parents=True)
    shutil.copy(root / "images_001" / "images" / "00000001_000.png", root / "masks" / "lung" / "00000001_000.png")
    shutil.copy(root / "images_001" / "images" / "00000001_000.png", root / "masks" / "heart" / "00000002_000.png")
    lines = "image,landmark,row,col\n00000001_000.png,apex_right,0.25,0.5\n00000001_000.png,carina,0.5,0.75\n"
    (root / "landmarks.csv").write_text(lines)
    corpus = read("chestxray14", root)
    records = by_name(corpus)
    assert corpus.structures == ("heart", "lung") and corpus.landmarks == ("apex_right", "carina")
    assert len(corpus) == 20 and list(records["00000001_000.png"].masks) == ["lung"]
    assert records["00000001_000.png"].landmarks == {"apex_right": (0.25, 0.5), "carina": (0.5, 0.75)}
    (root / "landmarks.csv").write_text("image,landmark,row,col\n00000001_000.png,carina,128,60\n")
    with pytest.raises(DatasetError, match="not fractions"):
        read("chestxray14", root)


def test_missing_lists_give_a_drawn_split_and_say_so(root):
    (root / "test_list.txt").unlink()
    corpus = read("chestxray14", root)
    assert {record.split for record in corpus.records} == {"train", "val", "test"}
    assert any("not the official split" in notice for notice in corpus.notices)


def test_a_patient_in_both_lists(root):
    names = (root / "test_list.txt").read_text().split()
    (root / "test_list.txt").write_text("\n".join(names[1:]))
    with (root / "train_val_list.txt").open("a") as file:
        file.write(names[0])
    with pytest.raises(DatasetError, match=r"1 patients are in two splits, such as 7 .*shared_patients"):
        read("chestxray14", root)
    dropped = read("chestxray14", root, shared_patients="drop")
    assert names[0] not in by_name(dropped) and names[1] in by_name(dropped)
    with pytest.raises(DatasetError, match="one of error, drop, separate"):
        read("chestxray14", root, shared_patients="ignore")


def damage(root, what):
    table = root / "Data_Entry_2017_v2020.csv"
    if what == "no table":
        table.unlink()
    if what == "no column":
        table.write_text(table.read_text().replace("Finding Labels", "Findings Label"))
    if what == "no image":
        shutil.rmtree(root / "images_001")
    if what == "unknown label":
        table.write_text(table.read_text().replace("Mass|", "Masses|"))
    if what == "bad box":
        (root / "BBox_List_2017.csv").write_text("h,,,,,\n00000008_000.png,Mass,a,b,c,d\n")
    if what == "box outside":
        (root / "BBox_List_2017.csv").write_text("h,,,,,\n00000008_000.png,Mass,1100,5,20,20\n")
    if what == "unknown box":
        (root / "BBox_List_2017.csv").write_text("h,,,,,\n00000008_000.png,Cardiomegly,1,5,20,20\n")
    if what == "both lists":
        (root / "test_list.txt").write_text((root / "train_val_list.txt").read_text())
    if what == "empty":
        shutil.rmtree(root)
        root.mkdir()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no table", "no label table Data_Entry_2017_v2020.csv.*nihcc"),
        ("no column", "no column 'Finding Labels'.*Did you mean 'Findings Label'"),
        ("no image", "none of them is in.*Unpack"),
        ("unknown label", "unknown label 'Masses'"),
        ("bad box", "BBox_List_2017.csv: line 2: 00000008_000.png"),
        ("box outside", r"BBox_List_2017.csv: line 2: 00000008_000.png: .*'1100'.* inside 1024 x 1024"),
        ("unknown box", "line 2: 00000008_000.png has a box of the unknown finding 'Cardiomegly'"),
        ("both lists", "is in the other list too"),
        ("empty", "the folder is empty"),
    ],
)
def test_damage_is_named_with_its_remedy(root, what, message):
    damage(root, what)
    with pytest.raises(DatasetError, match=message):
        read("chestxray14", root)


def test_missing_roots_unknown_readers_and_options(tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere: no such folder\. .*dataset_dir, probe_dir") as missing:
        read("chestxray14", tmp_path / "nowhere")
    assert "make_phantom" not in str(missing.value)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetError, match="is not a folder"):
        read("chestxray14", tmp_path / "file")
    with pytest.raises(DatasetError, match="Did you mean 'chestxray14'"):
        read("chestxray", tmp_path)
    with pytest.raises(DatasetError, match="Did you mean 'val_fraction'"):
        read("chestxray14", tmp_path, val_fractoin=0.1)
    with pytest.raises(DatasetError, match=r"val_fraction: the value is 1.5"):
        read("chestxray14", write(tmp_path / "nih"), val_fraction=1.5)


def test_a_missing_phantom_says_how_to_make_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match=r"make it: python scripts/make_phantom.py data/phantom\. "):
        read("chestxray14", "data/phantom")
    Path("phantom").write_text("x")
    with pytest.raises(DatasetError, match="is not a folder") as wrong:
        read("chestxray14", "phantom")
    assert "make_phantom" not in str(wrong.value)


@pytest.mark.real
def test_the_real_subset(cxr_data):
    corpus = read("chestxray14", cxr_data / "chestxray14_1000")
    assert len(corpus) == 1000 and len({record.patient_id for record in corpus.records}) == 682
    assert sum(record.split == "test" for record in corpus.records) == 153
    pneumonia = FINDINGS.index("Pneumonia")
    assert sum(record.labels[pneumonia] for record in corpus.records) == 500
    assert sum(len(record.boxes) for record in corpus.records) == 49
    patients = {}
    for record in corpus.records:
        assert patients.setdefault(record.patient_id, record.split) == record.split
        assert all(0 <= box.top < box.bottom <= 1 and 0 <= box.left < box.right <= 1 for box in record.boxes)
        assert not any(math.isnan(value) for value in record.labels)
    assert {record.sex for record in corpus.records} == {"F", "M"}
    assert all(0 < record.age < 100 for record in corpus.records)
    steps = sorted(step for record in corpus.records for step in record.pixel_spacing)
    assert 1.2 < steps[1000] < 1.8 and 0.5 < steps[0] < steps[-1] < 2.5  # 35 to 43 cm in 256 pixels


@pytest.mark.real
def test_the_real_label_files_are_read_whole(cxr_data):
    if not (cxr_data / "label_files").is_dir():
        pytest.skip("no label_files in CXR_DATA")
    tree = Tree(cxr_data / "label_files")
    table, path = label_table(tree, "")
    assert len(table) == 112_120 and table["Patient ID"].nunique() == 30_805
    assert (table["View Position"] == "AP").sum() == 44_810 and (table["Patient Gender"] == "F").sum() == 48_780
    stated = table["Finding Labels"].str.split("|").explode().value_counts()
    assert (stated["No Finding"], stated["Infiltration"], stated["Hernia"]) == (60_361, 19_894, 227)
    assert set(stated.index) == {*FINDINGS, "No Finding"}
    known = facts(table, path, [])
    assert sum(told.sex == "M" for told in known) == 63_340
    assert min(told.age for told in known) == 0 and max(told.age for told in known) == 95
    with collect_notices():
        boxes = boxes_of(tree, {}, FINDINGS)
    assert len(boxes) == 880 and sum(map(len, boxes.values())) == 984
    kinds = Counter(box.finding for found in boxes.values() for box in found)
    assert kinds == dict(
        Atelectasis=180,
        Effusion=153,
        Cardiomegaly=146,
        Infiltration=123,
        Pneumonia=120,
        Pneumothorax=98,
        Mass=85,
        Nodule=79,
    )
