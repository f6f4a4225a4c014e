"""Labels in columns of their own, one per finding, as labellers of reports write them: 1, 0, -1 (uncertain), blank."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ...files.errors import DatasetError
from .label_policy import UNCERTAIN
from .tables import blank, number


def stated_labels(table: pd.DataFrame, findings: Sequence[str], path: Path) -> list[tuple[float, ...]]:
    """Return the labels of each line, chosen by the columns' names since tables differ in their order.

    Args:
        table: with a column for each finding.
        findings: in the order wanted.
        path: of the table.

    Returns:
        1, 0, -1 for uncertain and nan for blank, for `LabelPolicy` to decide.

    Raises:
        DatasetError: another value, by line and column.
    """
    columns = [table[finding].map(_values(table[finding], path)).tolist() for finding in findings]
    return list(zip(*columns, strict=True))


def _values(texts: pd.Series, path: Path) -> dict[str, float]:
    values = {}
    for text in pd.unique(texts):
        try:
            values[text] = number(text)
        except ValueError:
            values[text] = math.inf
        if values[text] not in (0, 1, UNCERTAIN) and not blank(text):
            problem = f"line {texts.index[texts == text][0]}: the column '{texts.name}' has the value {text!r}"
            raise DatasetError(path, problem, "Labels are 1, 0, -1 (uncertain) or blank: get the file again")
    return values
