"""Reads the tables that come with a data set, and says which column is missing."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from ..errors import DatasetError


def read_table(path: Path, columns: Sequence[str] = (), **options: object) -> pd.DataFrame:
    """Read a CSV file (also .gz and .zip) as text, with clean column names.

    Args:
        path: the file.
        columns: names that must be there.
        options: for `pandas.read_csv`.

    Raises:
        DatasetError: no such file, not a table, or a column is missing.
    """
    try:
        table = pd.read_csv(path, dtype=str, encoding="utf-8-sig", keep_default_na=False, **options)  # type: ignore[call-overload]
    except FileNotFoundError:
        raise DatasetError(path, "no such file", "Check the option that names it") from None
    except (ValueError, UnicodeDecodeError, OSError) as error:
        problem = f"cannot be read as a table ({' '.join(str(error).split())[:120]})"
        raise DatasetError(path, problem, "It should be comma-separated text with a header line") from None
    table.columns = [str(name).strip() for name in table.columns]
    for column in columns:
        require_column(table, column, path)
    return table


def require_column(table: pd.DataFrame, column: str, path: Path, option: str = "") -> None:
    """Refuse a table without a column.

    Args:
        table: from `read_table`.
        column: wanted.
        path: of the table.
        option: of the reader that named the column.

    Raises:
        DatasetError: naming the file, the column and the nearest one.
    """
    if column in table.columns:
        return
    near = difflib.get_close_matches(column, table.columns, n=1)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    hint += f"Set the option {option}" if option else "Get the publisher's file again"
    raise DatasetError(path, f"no column '{column}' (there are: {', '.join(table.columns)})", hint)


def read_lines(path: Path) -> list[str]:
    """Return the non-empty lines of a text file, stripped."""
    return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]


def some(names: Iterable[str], count: int = 3) -> str:
    """Name a few of many."""
    listed = list(names)
    return ", ".join(listed[:count]) + (", ..." if len(listed) > count else "")
