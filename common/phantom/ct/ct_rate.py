"""Write phantom chest CTs in CT-RATE's own layout (version 2, `*_fixed`)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ...readers.support.phantom_mark import write_mark
from ..make_all import make_all
from ..patient import make_patient, stream
from ..writer import in_test_list
from .chest import make_chest
from .label_map import write_labels, write_volume
from .publish import check_count
from .volume import PhantomCT, check_lesion_scale, check_sampling

FINDINGS = (
    "Medical material",
    "Arterial wall calcification",
    "Cardiomegaly",
    "Pericardial effusion",
    "Coronary artery wall calcification",
    "Hiatal hernia",
    "Lymphadenopathy",
    "Emphysema",
    "Atelectasis",
    "Lung nodule",
    "Lung opacity",
    "Pulmonary fibrotic sequela",
    "Pleural effusion",
    "Mosaic attenuation pattern",
    "Peribronchial thickening",
    "Consolidation",
    "Bronchiectasis",
    "Interlobular septal thickening",
)
METADATA_HEADER = (
    "VolumeName,Manufacturer,SeriesDescription,ManufacturerModelName,PatientSex,PatientAge,ReconstructionDiameter,"
    "DistanceSourceToDetector,DistanceSourceToPatient,GantryDetectorTilt,TableHeight,RotationDirection,ExposureTime,"
    "XRayTubeCurrent,Exposure,FilterType,GeneratorPower,FocalSpots,ConvolutionKernel,PatientPosition,RevolutionTime,"
    "SingleCollimationWidth,TotalCollimationWidth,TableSpeed,TableFeedPerRotation,SpiralPitchFactor,"
    "DataCollectionCenterPatient,ReconstructionTargetCenterPatient,ExposureModulationType,CTDIvol,"
    "ImagePositionPatient,ImageOrientationPatient,SliceLocation,SamplesPerPixel,PhotometricInterpretation,Rows,Columns,"
    "XYSpacing,RescaleIntercept,RescaleSlope,RescaleType,NumberofSlices,ZSpacing,StudyDate"
)
TABLES = {"train": ("train", "train_predicted_labels.csv"), "valid": ("validation", "valid_predicted_labels.csv")}


class Scan(NamedTuple):
    """Which volume: `patient` counts from 1 over both splits, `scan` and `reconstruction` from 0."""

    patient: int
    scan: int
    reconstruction: int

    @property
    def split(self) -> str:
        """Every fifth patient is for validation."""
        return "valid" if in_test_list(self.patient) else "train"

    @property
    def folder(self) -> Path:
        """Of the scan, below the split's."""
        # Patients are numbered anew in each split.
        number = self.patient // 5 + 1 if self.split == "valid" else self.patient - (self.patient + 2) // 5
        patient = f"{self.split}_{number}"
        return Path(patient, f"{patient}_{'abc'[self.scan]}")

    @property
    def name(self) -> str:
        """File name as published."""
        return f"{self.folder.name}_{self.reconstruction + 1}.nii.gz"


def chest_scans(seed: int, count: int) -> list[Scan]:
    """The first `count` volumes: patients have 1 or 2 scans of 1 or 2 reconstructions; a longer list starts alike."""
    scans: list[Scan] = []
    patient = 0
    while len(scans) < count:
        patient += 1
        rng = stream(seed, 30, patient)
        for scan in range(1 + int(rng.random() < 0.25)):
            scans += [Scan(patient, scan, number) for number in range(1 + int(rng.random() < 0.35))]
    return scans[:count]


def write_ct_rate(
    out: str | Path,
    count: int = 200,
    size: int = 96,
    thickness: float = 5.0,
    seed: int = 0,
    workers: int = 0,
    lesion_scale: float = 1.0,
    mimics: bool = True,
) -> Path:
    """Write `count` phantom chest CTs the way CT-RATE is published, so that its reader reads them.

    Below `dataset/`: `train_fixed` and `valid_fixed` (int16 Hounsfield units with their geometry),
    `ts_seg/ts_total/*_fixed` (label maps as TotalSegmentator writes them), `multi_abnormality_labels` (18 columns;
    those that the phantom does not make are 0) and `metadata`; above it `phantom.json`, by which every reader knows the
    phantom. The files do not depend on the number of workers, and a larger collection begins with the smaller one of
    the same seed.

    Args:
        out: folder, made if missing; files of an earlier collection there are overwritten, other files are left alone.
        count: number of volumes, at least 1.
        size: rows and columns, at least 48; about 4 mm each at 96.
        thickness: mm between slices, see `make_chest`.
        seed: of the collection.
        workers: processes; 0 or 1 works in this process.
        lesion_scale: see `make_chest`.
        mimics: likewise.

    Returns:
        The folder.
    """
    check_count(count, "volume")
    check_sampling(size, thickness)
    check_lesion_scale(lesion_scale)
    root, scans = Path(out) / "dataset", chest_scans(seed, count)
    write_mark(Path(out), "ct_rate", seed)
    looks = {"size": size, "thickness": thickness, "lesion_scale": lesion_scale, "mimics": mimics}
    rows = make_all(partial(_write_one, root, seed, looks), scans, workers, "volume")
    for split, (metadata, labels) in TABLES.items():
        chosen = [row for scan, row in zip(scans, rows, strict=True) if scan.split == split]
        header = ["VolumeName", *FINDINGS]
        _write_table(root / "multi_abnormality_labels" / labels, header, [row[0] for row in chosen])
        fields = METADATA_HEADER.split(",")
        _write_table(root / "metadata" / f"{metadata}_metadata.csv", fields, [row[1] for row in chosen])
    return Path(out)


def _write_one(root: Path, seed: int, looks: Mapping[str, Any], scan: Scan) -> tuple[list[object], list[object]]:
    made = make_chest(seed, *scan, **looks)
    place = Path(f"{scan.split}_fixed") / scan.folder / scan.name
    write_volume(made, root / place)
    write_labels(made, root / "ts_seg" / "ts_total" / place)
    labels = [scan.name, *(int(made.findings.get(name, False)) for name in FINDINGS)]
    return labels, _metadata(made, scan, seed)


def _metadata(made: PhantomCT, scan: Scan, seed: int) -> list[object]:
    # What the file does not settle is as a scanner would say it; the publisher leaves no column out.
    person = make_patient(seed, scan.patient)
    slices, rows, columns = made.hounsfield.shape
    depth, height, width = made.spacing
    z, y, x = made.origin
    known = {
        "VolumeName": scan.name,
        "Manufacturer": "GE MEDICAL SYSTEMS" if made.protocol.padded else "Siemens Healthineers",
        "SeriesDescription": "LUNG" if made.protocol.sharp > 0.5 else "MEDIASTINUM",
        "ManufacturerModelName": "Phantom",
        "PatientSex": "F" if person.female else "M",
        "PatientAge": f"{person.age:03d}Y",
        "ReconstructionDiameter": round(made.protocol.field, 1),
        "GantryDetectorTilt": 0,
        "ConvolutionKernel": f"P{round(30 + 40 * made.protocol.sharp)}f",
        "PatientPosition": "HFS",
        "ImagePositionPatient": [round(x, 4), round(y, 4), round(z, 4)],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "SliceLocation": round(z, 4),
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": rows,
        "Columns": columns,
        "XYSpacing": [height, width],
        # Of the raw files. Version 2 has them applied: a reader that applies them again is wrong.
        "RescaleIntercept": -8192 if made.protocol.padded else -1024,
        "RescaleSlope": 1,
        "RescaleType": "HU",
        "NumberofSlices": slices,
        "ZSpacing": depth,
        "StudyDate": 20200101 + scan.scan,
    }
    return [known.get(field, "") for field in METADATA_HEADER.split(",")]


def _write_table(path: Path, header: list[str], rows: list[list[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)
