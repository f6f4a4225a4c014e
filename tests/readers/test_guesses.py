"""What check_data.py guesses of a folder that it is told nothing about; the options that it names do what it says."""

import shlex
from hashlib import sha512

import pytest
from PIL import Image

from common.readers import read
from common.readers.guesses import guesses
from common.readers.support.options import parse_options


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.frombytes("L", (8, 8), sha512(name.encode()).digest()).save(path)


def guessed(root, **told):
    """The guesses of a folder, and the options that they name."""
    lines = guesses(read("folder", root, **told).records, root, told)
    words = [word for line in lines for word in shlex.split(line.partition(": --option ")[2].join(["--option ", ""]))]
    return lines, parse_options([word for word in words if "=" in word])


def kermany(root):
    for split, first in (("train", 0), ("test", 60)):
        for patient in range(first, first + 40):
            write(root, f"{split}/PNEUMONIA/person{patient}_virus_{2 * patient}.png")
            write(root, f"{split}/PNEUMONIA/person{patient}_virus_{2 * patient + 1}.png")
            write(root, f"{split}/NORMAL/NORMAL2-IM-{patient:04}-0001.png")
    write(root, "test/PNEUMONIA/person3_virus_900.png")


def test_classes_and_patients_of_a_folder_in_kermanys_layout(tmp_path):
    kermany(tmp_path)
    lines, options = guessed(tmp_path)
    assert options["classes"] == ["NORMAL", "PNEUMONIA"]
    assert "160, such as person3_virus with 3 images, 80 with one, and 1 in two splits" in lines[1]
    corpus = read("folder", tmp_path, **options, shared_patients="separate")
    assert len({record.patient_id for record in corpus.records}) == 161  # the shared one is two now
    assert corpus.findings == ("NORMAL", "PNEUMONIA")
    assert guessed(tmp_path, **options, shared_patients="separate")[0] == []


def test_patients_by_the_number_before_others(tmp_path):
    write(tmp_path, *(f"{patient:08}_{image:03}.png" for patient in range(12) for image in range(3)))
    lines, options = guessed(tmp_path)
    assert list(options) == ["patient_pattern"] and "may be 12, such as 00000000 with 3 images" in lines[0]
    assert len({record.patient_id for record in read("folder", tmp_path, **options).records}) == 12


def test_masks_named_like_images(tmp_path):
    write(
        tmp_path, *(f"images/{number}.png" for number in range(9)), *(f"masks/{number}_mask.png" for number in range(9))
    )
    lines, options = guessed(tmp_path)
    assert "masks is named like masks of images" in lines[0]
    assert options["images"] == "images" and options["masks"] == {"structure": "masks"}


@pytest.mark.parametrize("names", [("a.png", "b.png", "c.png"), ("x/a.png", "b.png", "y/c.png")])
def test_nothing_is_made_up(names, tmp_path):
    write(tmp_path, *names)
    lines, options = guessed(tmp_path)
    assert options == {} and len(lines) == 1 and "names suggest none" in lines[0]
