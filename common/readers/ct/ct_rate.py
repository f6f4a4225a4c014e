"""CT-RATE (Hamamci et al. 2024).

50,188 reconstructions of 25,692 non-contrast chest CT scans of 21,304 patients in NIfTI, with 18 findings that a
language model read from the reports: 47,149 volumes of 20,000 patients for training and 3,039 of 1,304 for
validation, which the literature tests on. CC BY-NC-SA 4.0, access on request; cite the paper.

Pitfalls: the first version (`train`, `valid`) holds stored numbers, whose slope, intercept and spacing are in a table
while the header says 1, 0 and a wrong affine; the second (`train_fixed`, `valid_fixed`) holds Hounsfield units with
their geometry, to which the table must not be applied again. -8192 marks what lies outside the field of view. A few
volumes are unreadable or have no distance between slices; `no_chest_*.txt` lists heads. Reconstructions of one scan
share its labels, so they count it several times.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...files.text import read_lines
from ...records import Calibration, Corpus, Record
from ..registry import reader
from ..support.copies import one_each
from ..support.finish import finish
from ..support.label_maps import LabelMaps, inside
from ..support.publication import Defect, Publication
from ..support.suffixes import stem
from ..support.tree import Tree, require_root
from ._ct_rate_tables import calibrations_of, labels_of

FIXED, RAW = "fixed", "raw"
PUBLICATION = Publication(
    name="ct_rate",
    title="CT-RATE",
    where="https://huggingface.co/datasets/ibrahimhamamci/CT-RATE (on request)",
    licence="CC BY-NC-SA 4.0",
    citation="Hamamci et al., Developing Generalist Foundation Models from a Multimodal Dataset for 3D CT, 2024",
    images=50_188,
    patients=21_304,
    splits={"train": 47_149, "test": 3_039},
    files=(
        "dataset/train_fixed and valid_fixed (or train and valid)",
        "dataset/multi_abnormality_labels/*.csv",
        "dataset/metadata (*.csv for the first version, no_chest_*.txt)",
        "dataset/ts_seg/ts_total (optional)",
    ),
    volumes=True,
    gives=("18 findings", "label maps"),
    signs=("multi_abnormality_labels/*.csv", "train_*_[a-z]_[0-9].nii.gz", "valid_*_[a-z]_[0-9].nii.gz"),
    defects=(
        Defect(
            "volumes of the first version",
            lambda tree: _of_versions(tree)[RAW],
            "Their numbers are brought to Hounsfield units by metadata/*.csv; better get train_fixed and valid_fixed",
        ),
    ),
)
FINDINGS = (
    *("Medical material", "Arterial wall calcification", "Cardiomegaly", "Pericardial effusion"),
    *("Coronary artery wall calcification", "Hiatal hernia", "Lymphadenopathy", "Emphysema", "Atelectasis"),
    *("Lung nodule", "Lung opacity", "Pulmonary fibrotic sequela", "Pleural effusion", "Mosaic attenuation pattern"),
    *("Peribronchial thickening", "Consolidation", "Bronchiectasis", "Interlobular septal thickening"),
)
NAME = re.compile(r"((train|valid)_\d+)_[a-z]+_(\d+)")
SPLIT = {"train": "train", "valid": "test"}
LABEL_TABLES = ("train_predicted_labels.csv", "valid_predicted_labels.csv")
METADATA = ("train_metadata.csv", "validation_metadata.csv")
NO_CHEST = ("no_chest_train.txt", "no_chest_valid.txt")
UNUSABLE = {
    **dict.fromkeys(("train_1267_a_4", "train_11755_a_3", "train_11755_a_4"), "no distance between slices"),
    **dict.fromkeys(("train_14384_a_2", "valid_251_a_2"), "unreadable"),
}
SEGMENTATIONS = "ts_seg"


@reader(PUBLICATION)
def read(
    root: str | os.PathLike[str],
    version: str | None = None,
    one_per_scan: bool = False,
    masks: str | None = None,
    val_fraction: float = 0.0,
    seed: int = 0,
) -> Corpus:
    """Read the publisher's folder, or any part of it.

    Args:
        root: holds volumes and tables, in whatever sub-folders.
        version: "fixed" or "raw" (the first one); None tells them by `_fixed` in the path, and prefers fixed
            where both are there.
        one_per_scan: keep the first reconstruction of each scan only.
        masks: folder of label maps named like the volumes, relative to root; None takes `ts_seg/ts_total` for
            fixed volumes.
        val_fraction: share of the training patients to validate on, in [0, 1); there is no official validation
            beside the test split.
        seed: of the draw of patients.

    Raises:
        DatasetError: no volume, no label table, a column missing, or raw volumes without their metadata.
    """
    base = require_root(root, f"CT-RATE is at {PUBLICATION.where}")
    if version not in (None, FIXED, RAW):
        raise DatasetError("version", f"the value is {version!r}", f"It must be {FIXED}, {RAW} or null")
    tree = Tree(base, skip=[inside(base, masks)])
    volumes = _volumes(tree, version)
    labels = labels_of(tree, LABEL_TABLES, FINDINGS)
    raw = {name for name, (_, kind) in volumes.items() if kind == RAW}
    calibrations, uncalibrated = calibrations_of(tree, METADATA, raw)
    left_out = uncalibrated | _left_out(tree, volumes)
    maps = LabelMaps(_mask_folder(tree.paths, base, masks), base, [path for path, _ in volumes.values()])
    everything, records = [], []
    for name, (path, kind) in volumes.items():
        record = _record(name, path, labels, calibrations)
        everything.append(record)
        if name not in left_out:
            use_maps = masks is not None or kind == FIXED
            records.append(replace(record, label_map=maps.find(path) if use_maps else None))
    if one_per_scan:
        records = _first_of_each_scan(records)
        add_notice(f"one_per_scan keeps {len(records):,} of {len(everything):,} volumes")
    _give_reasons(left_out)
    maps.add_notices()
    return finish(
        PUBLICATION,
        records,
        findings=FINDINGS,
        val_fraction=val_fraction,
        seed=seed,
        published=everything,
    )


def _of_versions(tree: Tree) -> dict[str, list[Path]]:
    """Return version -> its volumes, which the folder on the way tells."""
    paths: dict[str, list[Path]] = {FIXED: [], RAW: []}
    for path in tree.volumes():
        parts = path.relative_to(tree.root).parts[:-1]
        if NAME.fullmatch(stem(path.name)) and path.name.endswith((".nii.gz", ".nii")) and SEGMENTATIONS not in parts:
            paths[FIXED if any(part.endswith("_fixed") for part in parts) else RAW].append(path)
    return paths


def _volumes(tree: Tree, version: str | None) -> dict[str, tuple[Path, str]]:
    """Return name -> (file, version), sorted by patient, scan and reconstruction."""
    found: dict[str, dict[str, Path]] = {}
    for told, listed in _of_versions(tree).items():
        chosen_each = one_each(listed, tree.root, lambda path: stem(path.name), lambda path: path.suffix == ".gz")
        for name, path in chosen_each.items():
            found.setdefault(name, {})[told] = path
    if not found:
        problem = "no volume in it is named like train_1_a_1.nii.gz"
        raise DatasetError(tree.root, problem, f"Download train_fixed and valid_fixed from {PUBLICATION.where}")
    both = [name for name, kinds in found.items() if len(kinds) > 1]
    wanted = version or FIXED
    if both:
        add_notice(f"{len(both):,} volumes are there in both versions; the {wanted} one is read ({first_few(both)})")
    chosen = {}
    for name in sorted(found, key=_key):
        kinds = found[name]
        told = wanted if wanted in kinds else next(iter(kinds))
        chosen[name] = (kinds[told], version or told)  # what the option says of a folder's only version counts
    return chosen


def _key(name: str) -> list[tuple[int, str]]:
    """Sorts train_2_a_1 before train_10_a_1."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in name.split("_")]


def _record(
    name: str,
    path: Path,
    labels: Mapping[str, tuple[float, ...]],
    calibrations: Mapping[str, Calibration],
) -> Record:
    patient, split = NAME.fullmatch(name).groups()[:2]  # type: ignore[union-attr]  # checked by _volumes
    return Record(
        image=str(path),
        patient_id=patient,
        split=SPLIT[split],
        source=PUBLICATION.name,
        labels=labels.get(name),
        study_id=name.rpartition("_")[0],
        calibration=calibrations.get(name),
    )


def _left_out(tree: Tree, volumes: Mapping[str, object]) -> dict[str, str]:
    """Name -> reason of the volumes that show no chest or that the publisher could not write."""
    reasons = {name: reason for name, reason in UNUSABLE.items() if name in volumes}
    for table in NO_CHEST:
        path = tree.find((table,))
        for line in read_lines(path) if path else ():
            name = stem(line.rpartition("/")[2])
            if name in volumes:
                reasons[name] = "no chest"
    return reasons


def _give_reasons(left_out: Mapping[str, str]) -> None:
    names: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        names.setdefault(reason, []).append(name)
    for reason, listed in names.items():
        add_notice(f"{len(listed):,} volumes left out: {reason} ({first_few(listed)})")


def _mask_folder(files: list[Path], base: Path, masks: str | None) -> Path | None:
    if masks is not None:
        return inside(base, masks)
    total = (path for path in files if "ts_total" in path.relative_to(base).parts)
    first = next(total, None)
    return None if first is None else next(folder for folder in first.parents if folder.name == "ts_total")


def _first_of_each_scan(records: list[Record]) -> list[Record]:
    first: dict[str | None, Record] = {}
    for record in records:
        first.setdefault(record.study_id, record)
    return list(first.values())
