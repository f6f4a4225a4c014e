"""CT-RATE's tables: labels by volume, and what the first version's files do not say."""

import ast
import math
from collections.abc import Collection, Sequence
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...records import Calibration
from ..support.repeats import Once
from ..support.suffixes import stem
from ..support.tables import number, read_table
from ..support.tree import Tree

COLUMNS = ("VolumeName", "RescaleSlope", "RescaleIntercept", "XYSpacing", "ZSpacing")
ORIENTATION = "ImageOrientationPatient"
SUPINE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)  # rows to the patient's left, columns to the back


def labels_of(tree: Tree, tables: Sequence[str], findings: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Return volume -> labels in the order of `findings`; a table that is missing is said.

    Raises:
        DatasetError: no table at all, a column missing, a value that is neither 0 nor 1, or lines that contradict.
    """
    labels: Once[tuple[float, ...]] = Once()
    for table in tables:
        path = tree.find((table,))
        if path is None:
            add_notice(f"{table} is missing")
            continue
        lines = read_table(path, ("VolumeName", *findings), findings)[["VolumeName", *findings]]
        said = (
            (line, name, stem(name), tuple(_label(text, f"line {line}: {name}", path) for text in texts))
            for line, name, *texts in lines.itertuples()
        )
        labels.read(said, path)
    if not labels.of:
        raise DatasetError(
            tree.root, f"no label table in it ({', '.join(tables)})", "Download multi_abnormality_labels"
        )
    return labels.of


def calibrations_of(
    tree: Tree, tables: Sequence[str], raw: Collection[str]
) -> tuple[dict[str, Calibration], dict[str, str]]:
    """Return volume -> calibration, and volume -> reason for those that have none.

    Args:
        tree: files of the data set.
        tables: names of the metadata tables.
        raw: volumes of the first version; no others are looked up.

    Raises:
        DatasetError: there are raw volumes and no metadata table, a column is missing, a value is no number, or lines
            contradict each other.
    """
    calibrations: dict[str, Calibration] = {}
    reasons: dict[str, str] = {}
    if not raw:
        return calibrations, reasons
    paths = [path for path in (tree.find((table,)) for table in tables) if path is not None]
    if not paths:
        problem = (
            f"{len(raw):,} volumes are of the first version ({first_few(sorted(raw))}), whose scaling and spacing are "
        )
        problem += f"in {' and '.join(tables)}, which are missing"
        raise DatasetError(
            tree.root, problem, "Download metadata/, or set version to 'fixed' if the files are fixed ones"
        )
    stated: dict[str, tuple[str, ...]] = {}
    for path in paths:
        table = read_table(path, COLUMNS, (*COLUMNS[1:3], *COLUMNS[4:]))
        told = [column for column in (*COLUMNS, ORIENTATION) if column in table.columns]
        for place, line in zip(table.index, table.to_dict("records"), strict=True):
            name = stem(line["VolumeName"])
            if name not in raw:
                continue
            facts = tuple(line[column] for column in told)
            if stated.setdefault(name, facts) != facts:
                problem = f"line {place}: {name} has other values than on another line"
                raise DatasetError(path, problem, "Get the publisher's file again")
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


def _label(text: str, where: str, path: Path) -> float:
    try:
        value = number(text)
    except ValueError:
        value = math.nan
    if value not in (0, 1):
        raise DatasetError(path, f"{where} has the label {text!r}", "Labels are 0 or 1: get the file again")
    return value


def _supine(orientation: Sequence[float]) -> bool:
    return all(abs(found - wanted) < 0.01 for found, wanted in zip(orientation, SUPINE, strict=True))


def _number(value: object, column: str, name: str, path: Path) -> float:
    text = str(value)
    try:
        return number(text)
    except ValueError:
        problem = f"{name} has the {column} {text!r}"
        raise DatasetError(path, problem, "Get the publisher's file again") from None


def _list(value: object, column: str, length: int, name: str, path: Path) -> list[float]:
    try:
        numbers = [float(item) for item in ast.literal_eval(str(value))]
    except (ValueError, SyntaxError, TypeError):
        numbers = []
    if len(numbers) != length:
        raise DatasetError(path, f"{name} has the {column} {value!r}", f"It should be a list of {length} numbers")
    return numbers
