"""Write a phantom collection in ChestX-ray14's own layout."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

from PIL import Image

from ..readers.support.phantom_mark import write_mark
from .make_all import make_all
from .patient import patients_and_visits
from .radiograph import Radiograph, make_radiograph

ENTRY_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
BOX_NAMES = {"Infiltration": "Infiltrate"}  # the publisher's box list spells this one finding differently
FRAME = 1024  # the publisher's boxes are pixels of the original 1024 x 1024 images


def write_phantom(out: str | Path, count: int = 200, size: int = 256, seed: int = 0, workers: int = 0) -> Path:
    """Write `count` phantom radiographs the way ChestX-ray14 is published, so that its reader reads them.

    Besides the publisher's files there are `phantom.json`, by which every reader knows the phantom,
    `masks/<structure>/<name>.png` (lung, heart, clavicle; 0 or 255) and `landmarks.csv` (`image,landmark,row,col` as
    fractions; what lies outside of the exposed picture is left out). The publisher gives boxes for the test list only;
    the phantom knows them all, so `BBox_List_2017.csv` has one box for every positive finding of both lists. Every
    fifth patient is in the test list. The files do not depend on the number of workers, and a larger collection begins
    with the smaller one of the same seed.

    Args:
        out: folder, made if missing; files of an earlier collection there are overwritten, other files are left alone.
        count: number of images, at least 1.
        size: rows and columns in pixels, at least 32.
        seed: of the collection.
        workers: processes; 0 or 1 works in this process.

    Returns:
        The folder.

    Example:
        >>> import tempfile
        >>> from common.readers import read
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     len(read("chestxray14", write_phantom(folder, count=10, size=32)))
        10
    """
    if count < 1:
        raise ValueError(f"count is {count}, below 1: ask for at least one image")
    out = Path(out)
    write_mark(out, "chestxray14", seed)
    for folder in ("images", "masks/lung", "masks/heart", "masks/clavicle"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    jobs = patients_and_visits(seed, count)
    job = partial(_write_one, out, seed, size)
    made = make_all(job, jobs, workers, "image", chunk=4)
    _write_tables(out, made)
    return out


def in_test_list(patient: int) -> bool:
    """Whether all images of a patient belong to the test list: every fifth patient's do, from the second on."""
    return patient % 5 == 2


def _write_one(out: Path, seed: int, size: int, pair: tuple[int, int]) -> Radiograph:
    made = make_radiograph(seed, *pair, size=size)
    Image.fromarray(made.image).save(out / "images" / made.name)
    for structure, mask in made.masks.items():
        Image.fromarray(mask.astype("uint8") * 255).save(out / "masks" / structure / made.name)
    return made


def _write_tables(out: Path, made: list[Radiograph]) -> None:
    with (out / "Data_Entry_2017_v2020.csv").open("w", newline="") as file:
        file.write(ENTRY_HEADER + "\n")
        rows = csv.writer(file, lineterminator="\n")
        for item in made:
            labels = "|".join(item.findings) or "No Finding"
            sex = "F" if item.female else "M"
            person = (item.name, labels, item.follow_up, item.patient, item.age, sex, item.view)
            (height, width), (down, right) = item.image.shape, item.pixel_spacing
            rows.writerow((*person, width, height, f"{right:.6f}", f"{down:.6f}"))
    with (out / "BBox_List_2017.csv").open("w", newline="") as file:
        file.write(BOX_HEADER + "\n")
        rows = csv.writer(file, lineterminator="\n")
        for item in made:
            for box in item.boxes:
                if box.present:
                    corner = (box.left * FRAME, box.top * FRAME)
                    extent = ((box.right - box.left) * FRAME, (box.bottom - box.top) * FRAME)
                    rows.writerow((item.name, BOX_NAMES.get(box.finding, box.finding), *corner, *extent))
    with (out / "landmarks.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("image", "landmark", "row", "col"))
        for item in made:
            rows.writerows((item.name, name, f"{row:.6f}", f"{col:.6f}") for name, (row, col) in item.landmarks.items())
    for name, wanted in (("train_val_list.txt", False), ("test_list.txt", True)):
        names = [item.name for item in made if in_test_list(item.patient) is wanted]
        (out / name).write_text("".join(f"{n}\n" for n in names))
