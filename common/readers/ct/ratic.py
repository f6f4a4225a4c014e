"""RATIC, the RSNA 2023 Abdominal Trauma Detection data (Rudie et al., Radiology: Artificial Intelligence 2024).

4,711 contrast-enhanced CT series of 3,147 patients, one study each of one or two series in DICOM, with the injuries of
liver, spleen, kidneys (healthy, low, high grade), bowel and contrast extravasation. No public test labels: the papers
draw 2,500 studies for training and 647 for testing. Non-commercial research under the challenge's rules.

Pitfalls: labels belong to the study, so both series share them and a split by series would leak. Some series store
signed numbers of fewer bits than are allocated. File names are instance numbers, whose order says nothing about head
and feet, and the 206 published masks are NIfTI of another orientation: both are brought to the patient's axes when they
are read. 313 series do not show all organs (`train_series_meta.csv`). Bowel injuries are rare (64 patients).
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...records import Corpus, Record
from ..registry import reader
from ..support.copies import first_few_below
from ..support.finish import finish
from ..support.label_maps import LabelMaps, inside
from ..support.publication import Publication
from ..support.repeats import Once
from ..support.spelling import canonical
from ..support.tables import read_table
from ..support.tree import require_root

PUBLICATION = Publication(
    name="ratic",
    title="RATIC (RSNA 2023 Abdominal Trauma Detection)",
    where="https://www.kaggle.com/competitions/rsna-2023-abdominal-trauma-detection",
    licence="rules of the challenge: non-commercial research",
    citation="Rudie et al., The RSNA Abdominal Traumatic Injury CT (RATIC) Dataset, Radiology: AI 2024",
    images=4_711,
    patients=3_147,
    files=("train_images/<patient>/<series>/*.dcm", "train_2024.csv (or train.csv)", "segmentations (optional)"),
    volumes=True,
    gives=("injuries of 5 kinds", "206 label maps"),
    signs=("train_2024.csv", "image_level_labels*.csv", "train_series_meta.csv"),
)
BINARY = ("bowel", "extravasation")
GRADED = ("liver", "spleen", "kidney")
GRADES = ("healthy", "low", "high")
# One logit each; the healthy columns of the binary organs say nothing more.
FINDINGS = (*(f"{organ}_injury" for organ in BINARY), *(f"{organ}_{grade}" for organ in GRADED for grade in GRADES))
TABLES = ("train_2024.csv", "train.csv")
TEST_SHARE = 647 / 3_147


def images_folder(base: Path) -> Path:
    """Return the folder of patients' folders, below which label maps are sought by path.

    Args:
        base: the publisher's folder, or one that holds it.

    Raises:
        DatasetError: there is none.
    """
    # By name and not by walking: 1.5 million slices lie below.
    if (base / "train_images").is_dir():
        return base / "train_images"
    below = [path / "train_images" for path in sorted(base.iterdir()) if (path / "train_images").is_dir()]
    if len({path.resolve() for path in below}) > 1:
        raise DatasetError(base, f"several folders train_images ({first_few(below)})", "Point the root at one of them")
    if below:
        return below[0]
    problem = "no folder train_images in it"
    raise DatasetError(base, problem, f"Unpack the archive there; it is at {PUBLICATION.where}")


@reader(PUBLICATION, layout_root=images_folder)
def read(
    root: str | os.PathLike[str],
    masks: str | None = None,
    test_fraction: float = TEST_SHARE,
    val_fraction: float = 0.1,
    seed: int = 0,
) -> Corpus:
    """Read the publisher's folder, or any part of it; one record per series.

    Args:
        root: holds `train_images` and the table, or a folder that does.
        masks: folder of label maps named by their series, relative to root; "segmentations" takes the published
            ones, whose names are the table "ratic" (`label_table`).
        test_fraction: share of the studies to test on, in [0, 1); of all of them it makes the papers' 647.
        val_fraction: share of the other studies to validate on, in [0, 1).
        seed: of both draws.

    Raises:
        DatasetError: no series, no table, a column missing, or a study with two grades of one organ.
    """
    base = require_root(root, f"RATIC is at {PUBLICATION.where}")
    images = images_folder(base)
    labels = _labels(images.parent)
    listed = _series(images)
    maps = LabelMaps(inside(base, masks), images, listed)
    records, unlisted = [], []
    for series in listed:
        patient = canonical(series.parent.name)
        if patient not in labels:
            unlisted.append(series.name)
            continue
        records.append(
            Record(
                image=str(series),
                patient_id=patient,
                split="train",
                source=PUBLICATION.name,
                labels=labels[patient],
                label_map=maps.find(series),
                study_id=patient,
            )
        )
    if not records:
        problem = f"it holds no series of the {len(labels):,} patients of the table"
        raise DatasetError(images, problem, f"Unpack the images there; they are at {PUBLICATION.where}")
    if unlisted:
        add_notice(f"{len(unlisted):,} series are of no patient in the table ({first_few(unlisted)})")
    if absent := sorted(labels.keys() - {record.patient_id for record in records}):
        add_notice(f"{len(absent):,} patients of the table are not here ({first_few(absent)})")
    maps.add_notices()
    return finish(
        PUBLICATION,
        records,
        findings=FINDINGS,
        test_fraction=test_fraction,
        val_fraction=val_fraction,
        seed=seed,
    )


def _series(images: Path) -> list[Path]:
    """Return the folders of series, one that several links lead to once."""
    found: dict[Path, Path] = {}
    again = []
    for path in sorted(path for path in images.glob("*/*") if path.is_dir() and not path.name.startswith(".")):
        place = path.resolve()
        first = found.setdefault(place, path)
        if first != path:
            found[place] = path if path == place else first
            again.append(path)
    if again:
        add_notice(f"{len(again)} more names of the same series (links) left out ({first_few_below(images, again)})")
    return sorted(found.values())


def _labels(folder: Path) -> dict[str, tuple[float, ...]]:
    """Return patient -> labels in the order of FINDINGS."""
    path = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    if path is None:
        problem = f"no label table in it ({' or '.join(TABLES)})"
        raise DatasetError(folder, problem, f"Get it from {PUBLICATION.where}")
    table = read_table(path, ("patient_id", *FINDINGS))
    labels: Once[tuple[float, ...]] = Once()
    labels.read(_lines(table, path), path)
    return labels.of


def _lines(table: pd.DataFrame, path: Path) -> Iterator[tuple[int, str, str, tuple[float, ...]]]:
    for line, name, *values in table[["patient_id", *FINDINGS]].itertuples():
        patient = canonical(name)
        strange = [value for value in values if canonical(value) not in ("0", "1")]
        if strange:
            problem = f"line {line}: patient {patient} has the label {strange[0]!r}"
            raise DatasetError(path, problem, "Get the publisher's file again")
        numbers = tuple(float(canonical(value)) for value in values)
        for position, organ in enumerate(GRADED):
            first = len(BINARY) + position * len(GRADES)
            if sum(numbers[first : first + len(GRADES)]) != 1:
                problem = f"the {organ} of patient {patient} has not one of the grades {', '.join(GRADES)}"
                raise DatasetError(path, problem, "Get the publisher's file again")
        yield line, f"patient {patient}", patient, numbers
