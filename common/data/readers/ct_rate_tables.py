"""CT-RATE's tables: labels by volume, and what the first version's files do not say."""

import ast
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ...records import Calibration
from ..errors import DatasetError
from .tables import read_table, some
from .tree import find_file, stem

COLUMNS = ("VolumeName", "RescaleSlope", "RescaleIntercept", "XYSpacing", "ZSpacing")
ORIENTATION = "ImageOrientationPatient"
SUPINE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)  # rows to the patient's left, columns to the back


def labels_of(
    by_name: Mapping[str, Path], tables: Sequence[str], findings: Sequence[str], base: Path
) -> tuple[dict[str, tuple[float, ...]], list[str]]:
    """Return volume -> labels in the order of `findings`, and a notice per table that is missing.

    Raises:
        DatasetError: no table at all, a column missing, or a value that is neither 0 nor 1.
    """
    labels: dict[str, tuple[float, ...]] = {}
    notices = []
    for table in tables:
        path = find_file(by_name, (table,))
        if path is None:
            notices.append(f"{table} is missing")
            continue
        lines = read_table(path, ("VolumeName", *findings))
        for name, *values in lines[["VolumeName", *findings]].itertuples(index=False):
            strange = [value for value in values if value not in ("0", "1", "0.0", "1.0")]
            if strange:
                raise DatasetError(
                    path, f"{name} has the label {strange[0]!r}", "Labels are 0 or 1: get the file again"
                )
            labels[stem(name)] = tuple(map(float, values))
    if not labels:
        raise DatasetError(base, f"no label table in it ({', '.join(tables)})", "Download multi_abnormality_labels")
    return labels, notices


def calibrations_of(
    by_name: Mapping[str, Path], tables: Sequence[str], raw: Collection[str], base: Path
) -> tuple[dict[str, Calibration], dict[str, str]]:
    """Return volume -> calibration, and volume -> reason for those that have none.

    Args:
        by_name: files of the data set.
        tables: names of the metadata tables.
        raw: volumes of the first version; no others are looked up.
        base: the root.

    Raises:
        DatasetError: there are raw volumes and no metadata table, a column is missing, or a value is no number.
    """
    calibrations: dict[str, Calibration] = {}
    reasons: dict[str, str] = {}
    if not raw:
        return calibrations, reasons
    paths = [path for path in (find_file(by_name, (table,)) for table in tables) if path is not None]
    if not paths:
        problem = f"{len(raw):,} volumes are of the first version ({some(sorted(raw))}), whose scaling and spacing are "
        problem += f"in {' and '.join(tables)}, which are missing"
        raise DatasetError(base, problem, "Download metadata/, or set version to 'fixed' if the files are fixed ones")
    for path in paths:
        for line in read_table(path, COLUMNS).to_dict("records"):
            name = stem(str(line["VolumeName"]))
            if name not in raw:
                continue
            slope, intercept, z = (_number(line[column], column, name, path) for column in COLUMNS[1:3] + COLUMNS[4:])
            rows, columns = _list(line["XYSpacing"], "XYSpacing", 2, name, path)
            if not all(value > 0 for value in (z, rows, columns)):
                reasons[name] = "no usable spacing in its metadata"
            elif line.get(ORIENTATION) and not _supine(_list(line[ORIENTATION], ORIENTATION, 6, name, path)):
                reasons[name] = "turned in the scanner, which files of the first version do not say: use the fixed one"
            else:
                calibrations[name] = Calibration(slope, intercept, (z, rows, columns))
    unlisted = set(raw) - calibrations.keys() - reasons.keys()
    return calibrations, reasons | dict.fromkeys(sorted(unlisted), "not in the metadata table")


def _supine(orientation: Sequence[float]) -> bool:
    return all(abs(found - wanted) < 0.01 for found, wanted in zip(orientation, SUPINE, strict=True))


def _number(value: object, column: str, name: str, path: Path) -> float:
    text = str(value).strip()
    try:
        return float(text) if text else math.nan
    except ValueError:
        problem = f"{name} has the {column} {text!r}"
        raise DatasetError(path, problem, "Get the publisher's file again") from None


def _list(value: object, column: str, length: int, name: str, path: Path) -> list[float]:
    try:
        numbers = [float(number) for number in ast.literal_eval(str(value))]
    except (ValueError, SyntaxError, TypeError):
        numbers = []
    if len(numbers) != length:
        raise DatasetError(path, f"{name} has the {column} {value!r}", f"It should be a list of {length} numbers")
    return numbers
