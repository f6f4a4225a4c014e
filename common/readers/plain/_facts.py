"""What the table of a plain folder says of an image besides its labels: whose it is, and how it was taken."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ..support.person import age_of, sex_of
from ..support.spelling import SPLIT_FOLDERS, one_spelling, spelled
from ..support.tables import blank, number

PLAIN = ("patient", "split", "view", "study", "sex", "age")


def facts_of(
    table: pd.DataFrame, columns: Mapping[str, str | Sequence[str] | None], path: Path
) -> dict[str, list[Any]]:
    """Return a fact (a field of `Row`) -> its value on each line, None where the table says nothing; for its columns.

    Args:
        table: of the folder.
        columns: the reader's options whose names end in column or columns.
        path: of the table, for messages.

    Raises:
        DatasetError: an unknown split, or a spacing that is none.
    """
    plain = {key: str(columns[f"{key}_column"]) for key in PLAIN if columns.get(f"{key}_column")}
    facts: dict[str, list[Any]] = {
        key: [None if blank(text) else text for text in table[name]] for key, name in plain.items()
    }
    if "patient" in facts:
        spelling = one_spelling([patient for patient in facts["patient"] if patient], f"patients of {path.name}")
        facts["patient"] = [patient and spelling[patient] for patient in facts["patient"]]
    if "split" in facts:
        facts["split"] = [
            split and _split(split, path, line) for split, line in zip(facts["split"], table.index, strict=True)
        ]
    for key, parse in (("sex", sex_of), ("age", age_of)):
        if key in facts:
            facts[key] = _parsed(facts[key], parse, f"{path.name}: the column '{plain[key]}'")
    if columns.get("spacing_columns"):
        facts["spacing"] = _spacings(table, columns["spacing_columns"] or (), path)
    return facts


def _split(text: str, path: Path, line: int) -> str:
    split = spelled(SPLIT_FOLDERS, text)
    if split is None:
        problem = f"line {line} has the split {text!r}"
        raise DatasetError(path, problem, f"Known are {', '.join(SPLIT_FOLDERS)}; check the option split_column")
    return split


def _parsed(texts: Sequence[str | None], parse: Callable[[str], Any], where: str) -> list[Any]:
    """Values of what can be read, and a notice of what cannot."""
    values = [None if text is None else parse(text) for text in texts]
    strange = [text for text, value in zip(texts, values, strict=True) if text is not None and value is None]
    if strange:
        add_notice(f"{where} has {len(strange)} values that say nothing, which count as blank ({first_few(strange)})")
    return values


def _spacings(table: pd.DataFrame, columns: Sequence[str], path: Path) -> list[tuple[float, float] | None]:
    if len(columns) != 2:
        raise DatasetError("spacing_columns", f"it names {len(columns)} columns", "Name two: of rows, then of columns")
    spacings: list[tuple[float, float] | None] = []
    for line, *texts in table[[*columns]].itertuples():
        if all(map(blank, texts)):
            spacings.append(None)
            continue
        try:
            row, col = map(number, texts)
        except ValueError:
            row = col = math.nan
        if not (row > 0 and col > 0):
            problem = f"line {line}: {', '.join(columns)} are {' and '.join(map(repr, texts))}"
            raise DatasetError(path, problem, "A spacing is in millimetres, above 0; leave both blank where unknown")
        spacings.append((row, col))
    return spacings
