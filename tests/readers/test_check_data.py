from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.files import DatasetError
from common.images import open_store
from common.readers import read
from common.readers.inspection import inspect_all, picture_hash, repeats, unread_images
from common.readers.support.options import parse_options
from common.records import Record

SCRIPTS = Path(__file__).parents[2] / "scripts"


def save(path, seed, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 255, (80, 70), np.uint8))
    image.save(path, **options)
    return image


@pytest.fixture
def root(tmp_path):
    base = tmp_path / "data"
    for number in range(4):
        save(base / "train" / "A" / f"p{number}_1.png", number)
    save(base / "test" / "B" / "p0_2.tif", 9)
    save(base / "test" / "B" / "p8_1.tif", 2)  # the picture of train/A/p2_1.png in another format
    (base / "train" / "B").mkdir()
    (base / "train" / "B" / "p5_1.png").write_bytes(b"")
    return base


def test_check_data_names_everything_that_is_wrong(root, python):
    options = ["--option", "classes=[A, B]", "--option", r"patient_pattern=(p\d+)_"]
    done = python(SCRIPTS / "check_data.py", "folder", root, *options)
    assert done.returncode == 1, done.stderr
    assert "7 images of" in done.stdout and "1 patients are in two splits, such as p0" in done.stdout
    assert "p5_1.png: the file is empty" in done.stdout
    assert "p2_1.png (train)" in done.stdout and "p8_1.tif (test)" in done.stdout
    assert "Problems found: 3." in done.stdout


def test_images_that_no_record_reads_are_named(tmp_path, python):
    for name in ("a/10_left.jpeg", "train/11_left.jpeg", "train/poster.png"):
        save(tmp_path / name, 3)
    (tmp_path / "trainLabels.csv").write_text("image,level\n10_left,0\n11_left,1\n")
    done = python(SCRIPTS / "check_data.py", "eyepacs", tmp_path, "--quick")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Images in the folder that are not read: 1" in done.stdout and "train/poster.png" in done.stdout
    records = read("folder", tmp_path, images="a").records
    assert [path.name for path in unread_images(records, tmp_path)] == ["11_left.jpeg", "poster.png"]


def test_commands_end_with_a_message_and_no_traceback(tmp_path, python):
    for script in ("check_data.py", "build_store.py"):
        done = python(SCRIPTS / script, "chestxray14", tmp_path / "nowhere")
        assert done.returncode == 2 and "no such folder" in done.stderr and "Traceback" not in done.stderr


def test_build_store_lists_what_it_left_out(root, tmp_path, python):
    done = python(SCRIPTS / "build_store.py", "folder", root, "--directory", tmp_path / "stores", "--size", "32")
    assert done.returncode == 0, done.stderr
    assert "Left out:" in done.stdout and "p5_1.png" in done.stdout and "6 images, 1 left out" in done.stdout


def test_build_store_builds_the_store_that_a_recipe_opens(root, tmp_path, monkeypatch, python):
    options = [
        "--option",
        "classes=[A, B]",
        "--option",
        r"patient_pattern=(p\d+)_",
        "--option",
        "shared_patients=separate",
    ]
    sizes = ["--size", "32", "--channels", "3"]
    done = python(SCRIPTS / "build_store.py", "folder", "data", *sizes, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (built,) = (tmp_path / "runs" / "stores").glob("data-32px-3ch-*")
    before = (built / "images.npy").stat()

    monkeypatch.chdir(tmp_path)
    corpus = read("folder", root, classes=["A", "B"], patient_pattern=r"(p\d+)_", shared_patients="separate")
    store = open_store(corpus, "runs/stores", 32, 3, workers=1, progress=False, min_size=70)
    assert store.directory.resolve() == built and len(store) == 6
    limited = store.subset("train", limit=2)
    assert len(limited) == 2 and limited.directory == store.directory
    after = (built / "images.npy").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [path for path in built.parent.iterdir() if path.is_dir()] == [built]


def test_the_hash_sees_pixels_and_nothing_else(tmp_path):
    image = save(tmp_path / "a.png", 1)
    values = np.asarray(image)
    assert picture_hash(values[None]) == picture_hash(values.copy()[None])
    changed = values.copy()
    changed[:8, :8] = 255 - changed[:8, :8]
    assert picture_hash(values[None]) != picture_hash(changed[None])
    assert picture_hash(values[None]) != picture_hash(values[None, :, ::-1])


def test_masks_of_another_size_and_repeats(tmp_path):
    save(tmp_path / "a.png", 1)
    save(tmp_path / "b.tif", 1)
    Image.fromarray(np.zeros((80, 71), np.uint8)).save(tmp_path / "m.png")
    records = [
        Record(str(tmp_path / "a.png"), "p", "train", "toy", masks={"lung": str(tmp_path / "m.png")}),
        Record(str(tmp_path / "b.tif"), "q", "test", "toy"),
    ]
    found = inspect_all(records, workers=1, progress=False)
    assert "m.png: the lung mask has 80 x 71 pixels" in found[0].problems[0] and not found[1].problems
    assert [[record.patient_id for record in group] for group in repeats(found)] == [["p", "q"]]


def test_options_are_yaml():
    assert parse_options(["classes=[A, B]", "val_fraction=0.2", "name=x"]) == {
        "classes": ["A", "B"],
        "val_fraction": 0.2,
        "name": "x",
    }
    for wrong in ("classes", "=3", "a=[1"):
        with pytest.raises(DatasetError, match="--option"):
            parse_options([wrong])


@pytest.mark.real
def test_the_real_subset_has_one_repeated_picture(cxr_data):
    corpus = read("chestxray14", cxr_data / "chestxray14_1000")
    found = inspect_all(corpus.records, progress=False)
    assert not any(inspection.problems for inspection in found)
    groups = [[Path(record.image).name for record in group] for group in repeats(found)]
    assert groups == [["00002658_001.png", "00002658_002.png"]]
