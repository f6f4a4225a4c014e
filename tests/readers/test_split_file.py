"""A split kept in a file: what is drawn, what is refused, and that no patient is on both sides."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.files import DatasetError
from common.files.errors import SharedPatients
from common.readers import read
from common.readers.support.split_file import draw_split

ROOT = Path(__file__).parents[2]
PATIENTS, IMAGES = 40, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """40 patients with three images each, the last 10 patients in a test folder; names repeat between folders."""
    root = tmp_path_factory.mktemp("folder")
    for patient in range(PATIENTS):
        place = root / ("test" if patient >= 30 else "train")
        place.mkdir(exist_ok=True)
        for number in range(IMAGES):
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(place / f"p{patient:02d}_{number}.png")
    return root


OPTIONS = {"patient_pattern": r"(p\d+)_"}


def drawn(folder, **changes):
    settings = {"count": 61, "seed": 0, "val_share": 0.25} | changes
    return draw_split(read("folder", str(folder), **OPTIONS), folder, **settings)


def written(split, folder) -> Path:
    path = folder.parent / "split.json"
    path.write_text(json.dumps(split))
    return path


def by_patient(names) -> Counter:
    return Counter(name.split("_")[0] for name in names)


def test_a_patient_is_on_one_side_with_all_its_images_and_the_counts_are_right(folder):
    parts = drawn(folder)["parts"]
    splits = [by_patient(names) for part in parts.values() for names in part.values()]
    assert len(splits) == 5
    assert all(count == IMAGES for split in splits for count in split.values())
    assert sum(len(split) for split in splits) == len(set().union(*splits)) == PATIENTS
    pretraining = {split: len(by_patient(names)) for split, names in parts["pretraining"].items()}
    assert pretraining == {"train": 15, "val": 5}  # 20 patients are 60 images; the next would exceed 61
    downstream = {split: len(by_patient(names)) for split, names in parts["downstream"].items()}
    assert downstream == {"train": 12, "val": 4, "test": 4}


def test_patients_of_the_test_split_are_never_pre_trained_on_and_are_mixed_with_the_remainder(folder):
    seen = Counter()
    for seed in range(10):
        parts = drawn(folder, seed=seed)["parts"]
        pretraining = by_patient(parts["pretraining"]["train"] + parts["pretraining"]["val"])
        assert max(int(patient[1:]) for patient in pretraining) < 30
        seen.update(int(patient[1:]) >= 30 for patient in by_patient(parts["downstream"]["test"]))
    # half of the 20 patients left are of the test split, so half of those drawn for testing should be
    assert 10 <= seen[True] <= 30


def test_draws_follow_the_seed(folder):
    assert drawn(folder) == drawn(folder)
    assert drawn(folder)["parts"] != drawn(folder, seed=1)["parts"]


def test_both_recipes_read_their_part_and_no_patient_is_in_both(folder):
    path = str(written(drawn(folder), folder))
    sides = [
        read("folder", str(folder), split_file=path, split_part=part, **OPTIONS) for part in drawn(folder)["parts"]
    ]
    patients = [{record.patient_id for record in side.records} for side in sides]
    assert not patients[0] & patients[1]
    assert len(patients[0] | patients[1]) == PATIENTS
    assert {record.split for record in sides[0].records} == {"train", "val"}
    for side in sides:
        homes = {}
        assert all(homes.setdefault(r.patient_id, r.split) == r.split for r in side.records)
    assert "60 images are in the other part" in sides[1].notices[-1]


def corrupted(split, change):
    change(split["parts"])
    return split


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda parts: parts["pretraining"]["train"].append("other.png"), "1 of its images are not in"),
        (lambda parts: parts["pretraining"]["train"].pop(), "it lacks 1 images"),
        (lambda parts: parts["downstream"]["val"].append(parts["downstream"]["test"][0]), "lists .* twice"),
        (lambda parts: parts.update(other={}), "the part 'other'"),
        (lambda parts: parts["downstream"].update(exam=[]), "other splits than"),
    ],
)
def test_a_file_that_does_not_fit_the_folder_is_refused(folder, change, message):
    path = str(written(corrupted(drawn(folder), change), folder))
    with pytest.raises(DatasetError, match=message):
        read("folder", str(folder), split_file=path, split_part="pretraining", **OPTIONS)


def test_a_file_that_divides_a_patient_is_refused(folder):
    split = drawn(folder)
    split["parts"]["downstream"]["test"].append(split["parts"]["pretraining"]["train"].pop())
    path = str(written(split, folder))
    with pytest.raises(SharedPatients, match=r"is in (pretraining|downstream)/\w+ and"):
        read("folder", str(folder), split_file=path, split_part="pretraining", **OPTIONS)


def test_options_are_checked(folder, tmp_path):
    path = str(written(drawn(folder), folder))
    with pytest.raises(DatasetError, match="split_part"):
        read("folder", str(folder), split_file=path, **OPTIONS)
    with pytest.raises(DatasetError, match="no such file"):
        read("folder", str(folder), split_file=str(tmp_path / "none.json"), split_part="downstream", **OPTIONS)
    (tmp_path / "bad.json").write_text("[]")
    with pytest.raises(DatasetError, match="no split file"):
        read("folder", str(folder), split_file=str(tmp_path / "bad.json"), split_part="downstream", **OPTIONS)
    with pytest.raises(DatasetError, match=r"It must lie in 1\.\.89"):
        drawn(folder, count=90)


def test_names_that_repeat_are_told_apart_by_their_folder(tmp_path):
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        for patient in range(8):
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / split / f"p{patient}_0.png")
    options = OPTIONS | {"shared_patients": "separate"}
    split = draw_split(read("folder", str(tmp_path), **options), tmp_path, 4, 0, 0.25)
    assert "train/p0_0.png" in {name for part in split["parts"].values() for names in part.values() for name in names}


def test_the_command_writes_what_the_reader_reads(folder, tmp_path, python):
    out = tmp_path / "splits" / "split.json"
    command = [ROOT / "scripts" / "split_patients.py", "folder", folder, out, "--option", r"patient_pattern=(p\d+)_"]
    done = python(*command, "--count", "61")
    assert done.returncode == 0, done.stderr
    assert read("folder", str(folder), split_file=str(out), split_part="downstream", **OPTIONS).records
    refused = python(*command, "--count", "500")
    assert refused.returncode == 2
    assert "--count" in refused.stderr
