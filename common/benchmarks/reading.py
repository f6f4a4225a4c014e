"""Measure how long a reader takes for a large data set: its label files, and the index of its tree."""

import tempfile
import time
from pathlib import Path
from typing import Any

from ..readers import read

IMAGES = 112_120  # of ChestX-ray14, in 12 archives
FINDINGS = ("No Finding", "Infiltration", "Effusion|Mass", "Atelectasis", "Nodule|Pneumothorax|Edema")
HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)


def measure_reading(images: int = IMAGES) -> dict[str, Any]:
    """Seconds for ChestX-ray14's layout with empty files as images, each patient having four.

    Args:
        images: how many, at least 50.

    Returns:
        The files' number, and seconds by the clock and by the processor.
    """
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        _write(root, images)
        wall, cpu = time.perf_counter(), time.process_time()
        corpus = read("chestxray14", root)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"images": len(corpus), "read_s": wall, "read_cpu_s": cpu}


def _write(root: Path, images: int) -> None:
    names = [f"{number // 4 + 1:08}_{number % 4:03}.png" for number in range(images)]
    lines = [
        f"{name},{FINDINGS[n % 5]},{n % 4},{n // 4 + 1},{n % 90},{'FM'[n % 2]},PA,2500,2048,.1,.1"
        for n, name in enumerate(names)
    ]
    (root / "Data_Entry_2017_v2020.csv").write_text("\n".join([HEADER, *lines]))
    train = images // 5 * 4 // 4 * 4  # whole patients
    (root / "train_val_list.txt").write_text("\n".join(names[:train]))
    (root / "test_list.txt").write_text("\n".join(names[train:]))
    boxes = [f"{name},Mass,200.5,100,300,400.25" for name in names[train:][:984]]
    (root / "BBox_List_2017.csv").write_text("\n".join(["Image Index,Finding Label,Bbox [x,y,w,h],,,", *boxes]))
    for number, name in enumerate(names):
        folder = root / f"images_{12 * number // images + 1:03}" / "images"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
