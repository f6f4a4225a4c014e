"""Write phantom abdominal CTs in the layout of RATIC, the RSNA 2023 abdominal trauma collection."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...readers.support.phantom_mark import write_mark
from ..make_all import make_all
from ..patient import stream
from .abdomen import injuries_of, is_incomplete, make_abdomen
from .dicom_slices import ENCODINGS, write_series
from .label_map import write_labels
from .publish import check_count
from .volume import NAMES, PhantomCT, check_sampling

MARKED = {"extravasation": "Active_Extravasation", "bowel": "Bowel"}  # injuries that have labels for each slice


class Series(NamedTuple):
    """Which series: `patient` counts from 1, `number` from 0."""

    patient: int
    number: int

    @property
    def patient_id(self) -> int:
        """As the publisher numbers them: no order, and not from 1."""
        return 10000 + self.patient

    @property
    def series_id(self) -> int:
        """Unique in the collection."""
        return 20000 + 2 * self.patient + self.number


def abdomen_series(seed: int, count: int) -> list[Series]:
    """All series of the first `count` patients: one or two each."""
    made = []
    for patient in range(1, count + 1):
        numbers = range(1 + int(stream(seed, 40, patient).random() < 0.5))  # as published: 1,564 of 3,147 have two
        made += [Series(patient, number) for number in numbers]
    return made


def write_ratic(
    out: str | Path, count: int = 200, size: int = 96, thickness: float = 5.0, seed: int = 0, workers: int = 0
) -> Path:
    """Write the series of `count` phantom patients the way RATIC is published, so that its reader reads them.

    `train_images/<patient_id>/<series_id>/<instance_number>.dcm`, `train_2024.csv`, `train_series_meta.csv` and
    `image_level_labels_2024.csv`; beside them `phantom.json`, by which every reader knows the phantom, and
    `masks/<series_id>.nii.gz`, label maps of all series as TotalSegmentator writes them. Instance numbers start
    anywhere and run up or down, and pixels are unsigned, signed, or signed in 12 of 16 bits, as in the publisher's
    files. The files do not depend on the number of workers, and a larger collection begins with the smaller one of the
    same seed.

    Args:
        out: folder, made if missing; files of an earlier collection there are overwritten, other files are left alone.
        count: number of patients, at least 1; half of them have two series.
        size: rows and columns, at least 48; about 4 mm each at 96.
        thickness: mm between slices, see `make_abdomen`.
        seed: of the collection.
        workers: processes; 0 or 1 works in this process.

    Returns:
        The folder.
    """
    check_count(count, "patient")
    check_sampling(size, thickness)
    root, series = Path(out), abdomen_series(seed, count)
    write_mark(root, "ratic", seed)
    rows = make_all(partial(_write_one, root, seed, size, thickness), series, workers, "volume")
    patients = [_patient_row(seed, number) for number in range(1, count + 1)]
    _write_table(root / "train_2024.csv", patients)
    _write_table(root / "train_series_meta.csv", [meta for meta, _ in rows])
    header = {"patient_id": 0, "series_id": 0, "instance_number": 0, "injury_name": ""}
    _write_table(root / "image_level_labels_2024.csv", [mark for _, marks in rows for mark in marks], header)
    return root


def _patient_row(seed: int, patient: int) -> dict[str, object]:
    injuries = injuries_of(seed, patient)
    columns = {name: int(value) for name, value in injuries.columns().items()}
    return {"patient_id": Series(patient, 0).patient_id, **columns, "any_injury": int(injuries.any)}


def _write_one(
    root: Path, seed: int, size: int, thickness: float, series: Series
) -> tuple[dict[str, object], list[dict[str, object]]]:
    made = make_abdomen(seed, *series, size=size, thickness=thickness)
    rng = stream(seed, 45, *series)
    folder = root / "train_images" / str(series.patient_id) / str(series.series_id)
    first, downwards = int(rng.integers(1, 60)), bool(rng.random() < 0.8)
    encoding = ENCODINGS[int(rng.integers(len(ENCODINGS)))]
    numbers = write_series(made, folder, series.patient_id, series.series_id, first, downwards, encoding)
    write_labels(made, root / "masks" / f"{series.series_id}.nii.gz")
    ids: dict[str, object] = {"patient_id": series.patient_id, "series_id": series.series_id}
    meta = {**ids, "aortic_hu": _aorta(made), "incomplete_organ": int(is_incomplete(made))}
    marks: list[dict[str, object]] = [
        {**ids, "instance_number": number, "injury_name": MARKED[name]}
        for name, shown in made.slices.items()
        for number in sorted(numbers[shown].tolist())
    ]
    return meta, marks


def _aorta(made: PhantomCT) -> float:
    inside = made.hounsfield[made.labels == NAMES.index("aorta")]
    return round(float(np.median(inside)), 1)


def _write_table(path: Path, rows: list[dict[str, object]], header: dict[str, object] | None = None) -> None:
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(header or rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
