"""The written collection against ChestX-ray14's layout."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.phantom import make_radiograph, patients_and_visits, write_phantom

ROOT = Path(__file__).parents[2]
COUNT, SIZE, SEED = 14, 64, 11


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return write_phantom(tmp_path_factory.mktemp("phantom"), COUNT, SIZE, SEED)


def names_in(path):
    return path.read_text().split()


def test_layout(out):
    images = sorted(path.name for path in (out / "images").iterdir())
    assert len(images) == COUNT
    lists = names_in(out / "train_val_list.txt"), names_in(out / "test_list.txt")
    assert sorted(lists[0] + lists[1]) == images
    patients = [{name.split("_")[0] for name in names} for names in lists]
    assert patients[0] and patients[1] and not patients[0] & patients[1]
    rows = list(csv.reader((out / "Data_Entry_2017_v2020.csv").open()))
    assert all(len(row) == 11 for row in rows)
    assert [row[0] for row in rows[1:]] == images
    for row in rows[1:]:
        assert row[0] == f"{int(row[3]):08d}_{int(row[2]):03d}.png"
    for structure in ("lung", "heart", "clavicle"):
        for name in images:
            mask = np.asarray(Image.open(out / "masks" / structure / name))
            assert mask.shape == (SIZE, SIZE) and set(np.unique(mask)) <= {0, 255}


def test_hila_are_72_millimetres_apart_by_the_spacing_that_is_written(out):
    """They are modelled so far apart, at a depth that is hardly magnified, on patients who are hardly turned."""
    table = csv.DictReader((out / "Data_Entry_2017_v2020.csv").open())
    spacing = {
        row["Image Index"]: (float(row["y]"]) * int(row["Height]"]), float(row["OriginalImagePixelSpacing[x"]) * SIZE)
        for row in table
    }
    places = {(row["image"], row["landmark"]): row for row in csv.DictReader((out / "landmarks.csv").open())}
    apart = [
        np.hypot(*(mm * (float(places[name, "hilum_left"][axis]) - float(places[name, "hilum_right"][axis]))
                   for mm, axis in zip(spacing[name], ("row", "col"), strict=True)))
        for name in spacing
        if (name, "hilum_left") in places and (name, "hilum_right") in places
    ]  # fmt: skip
    assert len(apart) > 5 and all(abs(distance - 72) < 2 for distance in apart)
    assert len({pair for pair in spacing.values()}) == len(spacing) and all(a != b for a, b in spacing.values())


def test_every_positive_has_its_box_in_the_publishers_frame(out):
    entries = {row[0]: row[1] for row in list(csv.reader((out / "Data_Entry_2017_v2020.csv").open()))[1:]}
    labelled = {(n, f) for n, labels in entries.items() for f in labels.split("|") if f != "No Finding"}
    lines = (out / "BBox_List_2017.csv").read_text().splitlines()
    assert lines[0] == "Image Index,Finding Label,Bbox [x,y,w,h],,,"
    boxes = [line.split(",") for line in lines[1:]]
    spelled = {(b[0], {"Infiltrate": "Infiltration"}.get(b[1], b[1])) for b in boxes}
    assert spelled == labelled and len(boxes) == len(labelled)
    for box in boxes:
        x, y, w, h = (float(v) for v in box[2:])
        assert min(x, y) >= 0 and min(w, h) > 0 and x + w <= 1024 and y + h <= 1024


def test_files_hold_what_was_made(out):
    pair = patients_and_visits(SEED, COUNT)[5]
    made = make_radiograph(SEED, *pair, size=SIZE)
    assert np.array_equal(np.asarray(Image.open(out / "images" / made.name)), made.image)
    written = [row for row in csv.DictReader((out / "landmarks.csv").open()) if row["image"] == made.name]
    assert [row["landmark"] for row in written] == list(made.landmarks)
    spots = [(float(row["row"]), float(row["col"])) for row in written]
    assert np.allclose(spots, list(made.landmarks.values()), atol=1e-6)


def test_workers_and_count_change_nothing(out, tmp_path):
    write_phantom(tmp_path, 8, SIZE, SEED, workers=2)
    for path in sorted((tmp_path / "images").iterdir()):
        assert path.read_bytes() == (out / "images" / path.name).read_bytes()
    assert names_in(out / "train_val_list.txt")[:3] == names_in(tmp_path / "train_val_list.txt")[:3]


def test_command_line(tmp_path, python):
    command = [ROOT / "scripts" / "make_phantom.py", tmp_path / "new"]
    done = python(*command, "--count", "2", "--size", "64", "--workers", "1")
    assert done.returncode == 0 and "2 images of 64 px" in done.stdout, done.stderr
    bad = python(*command, "--count", "0")
    assert bad.returncode == 1 and bad.stderr.startswith("make_phantom: count is 0"), bad.stderr
