from pathlib import Path

from common.readers.support.told import told_by_folders

BASE = Path("/test/data")  # a folder above the root tells nothing


def test_the_nearest_folder_tells_in_any_spelling():
    names = ("test/train/a/1.png", "Test/a/2.png", "viral  PNEUMONIA/3.png", "4.png", "train.png")
    found = told_by_folders([BASE / name for name in names], BASE, {"train": 1, "test": 2, "Viral Pneumonia": 3})
    assert {str(folder.relative_to(BASE)): value for folder, value in found.items()} == {
        "test/train/a": 1, "Test/a": 2, "viral  PNEUMONIA": 3, ".": None
    }  # fmt: skip
