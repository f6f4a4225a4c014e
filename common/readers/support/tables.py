"""Reads the tables that come with a data set, and says which column, line or value is wrong."""

import csv
import difflib
import io
import math
import re
from collections.abc import Collection, Iterable, Sequence
from itertools import count, takewhile
from pathlib import Path

import pandas as pd

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...files.text import CSV, read_text

SEPARATORS = (",", ";", "\t", "|")
SAMPLE = 50  # lines that tell the separator
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
DECIMAL_COMMA = re.compile(r"([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)", re.ASCII)
BLANKS = frozenset({"", "nan", "na", "n/a", "<na>", "null", "none"})

Rows = list[tuple[int, list[str]]]


def read_table(path: Path, columns: Sequence[str] = (), numbers: Collection[str] = ()) -> pd.DataFrame:
    """Read a table with a header line as stripped text; its index is the line in the file.

    Fields are separated by commas, semicolons, tabs or bars. Of two columns with one name the second is renamed; a
    wanted one is refused by `require_column` unless both say the same.

    Args:
        path: the file, also packed (.gz, .zip).
        columns: names that must be there.
        numbers: columns of numbers, of which a decimal comma becomes a point where commas do not separate.

    Raises:
        DatasetError: no such file, not a table, a line with more fields than the header, or a column is missing.
    """
    rows, separator = read_rows(path, (*columns, *numbers))
    header, *lines = rows
    names = _column_names(header[1])
    index = [line for line, _ in lines]
    table = pd.DataFrame([fields for _, fields in lines], index=index, columns=names, dtype=object)
    if separator != ",":
        for column in set(numbers) & set(names):
            table[column] = [_point(text, separator) for text in table[column]]
    for column in columns:
        require_column(table, column, path)
    return table


def read_rows(path: Path, wanted: Collection[str] = ()) -> tuple[Rows, str]:
    """Return the lines of a table with their numbers, the header first and all as long as it, and the separator.

    Args:
        path: the file.
        wanted: columns that tell the separator.

    Raises:
        DatasetError: as `read_table`.
    """
    text = io.StringIO(read_text(path), newline=None).read().lstrip("\ufeff")
    stated = re.match(r'"?sep=(.)"?\n', text)  # how Excel writes it down
    skipped = text[: stated.end()].count("\n") if stated else 0
    text = text[stated.end() :] if stated else text
    separator = stated.group(1) if stated else _separator(text, wanted)
    try:
        rows = _parsed(text, separator, skipped)
        _require_closed(text, rows[-1][0] - skipped if rows else 1, separator)
    except csv.Error as error:
        raise DatasetError(path, f"cannot be read as a table ({error})", CSV) from None
    if not rows:
        raise DatasetError(path, "cannot be read as a table (it is empty)", CSV)
    return _even(rows, path), separator


def require_column(table: pd.DataFrame, column: str, path: Path, option: str = "") -> None:
    """Refuse a table without a column, or with two different ones of its name.

    Args:
        table: from `read_table`.
        column: wanted.
        path: of the table.
        option: of the reader that named the column.

    Raises:
        DatasetError: naming the file, the column and the nearest one.
    """
    if column in table.columns:
        twins = takewhile(lambda name: name in table.columns, (_twin(column, place) for place in count(2)))
        if any((table[twin] != table[column]).any() for twin in twins):
            raise DatasetError(path, f"columns called '{column}' differ", "Rename or remove all but one of them")
        return
    near = difflib.get_close_matches(column, table.columns, n=1)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    hint += f"Set the option {option}" if option else "Get the publisher's file again"
    raise DatasetError(path, f"no column '{column}' (there are: {first_few(table.columns, 40)})", hint)


def cells(table: pd.DataFrame, column: str) -> list[str]:
    """Return the texts of a column, or blanks where there is no such column."""
    return list(table[column]) if column in table.columns else [""] * len(table)


def number(text: str) -> float:
    """Return a number as tables write it; a blank, however it is spelled, is not-a-number.

    Raises:
        ValueError: anything else, such as inf, 1_000, or a number that no float holds.
    """
    if text.casefold() in BLANKS:
        return math.nan
    if not NUMBER.fullmatch(text) or math.isinf(float(text)):
        raise ValueError(f"{text!r} is no number")
    return float(text)


def blank(text: str) -> bool:
    """Whether a cell says nothing."""
    return text.casefold() in BLANKS


def _separator(text: str, wanted: Collection[str]) -> str:
    """The separator whose header has most of the wanted columns; then that suits all lines; then of most fields."""

    def rank(separator: str) -> tuple[int, bool, int]:
        try:
            rows = _parsed("\n".join(text.split("\n", SAMPLE)[:SAMPLE]), separator, 0)
        except csv.Error:
            rows = []
        header = _trimmed(rows[0][1]) if rows else []
        even = len(header) > 1 and all(len(_trimmed(fields)) <= len(header) for _, fields in rows)
        return len(set(header) & set(wanted)), even, len(header)

    return max(SEPARATORS, key=rank)  # the first of equals, a comma


def _parsed(text: str, separator: str, skipped: int) -> Rows:
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    rows, before = [], 0
    for fields in reader:
        stripped = [field.strip() for field in fields]
        if any(stripped):
            rows.append((skipped + before + 1, stripped))
        before = reader.line_num
    return rows


def _require_closed(text: str, last: int, separator: str) -> None:
    """A quotation mark that nothing closes takes all further lines into its own, which is then the last one."""
    rest = text.split("\n", last - 1)[-1].strip("\n")
    if "\n" in rest:
        list(csv.reader(io.StringIO(rest), delimiter=separator, skipinitialspace=True, strict=True))


def _trimmed(fields: list[str]) -> list[str]:
    """Without the blanks at the end: some programs end every line with a separator."""
    end = len(fields)
    while end and not fields[end - 1]:
        end -= 1
    return fields[:end]


def _even(rows: Rows, path: Path) -> Rows:
    """Bring all lines to one length; a line may lack blanks, and no field may lie beyond the header."""
    header = rows[0][1]
    named = len(_trimmed(header))
    used = [len(fields) if fields[-1] else len(_trimmed(fields)) for _, fields in rows]
    for (line, _), width in zip(rows, used, strict=True):
        if width > len(header):
            problem = f"line {line} has {width} fields, the header {len(header)}"
            raise DatasetError(path, problem, "Correct the line; quote a field that holds the separator")
    short = [line for line, fields in rows if len(fields) < named]
    if short and len(short) == len(rows) - 1:
        most = max(len(fields) for _, fields in rows[1:])
        problem = f"the header has {named} names, and no line more than {most} fields: which is whose cannot be told"
        raise DatasetError(path, problem, "Quote a name that holds the separator, or remove the names without fields")
    if short:
        add_notice(
            f"{path.name}: {len(short)} lines lack fields at their end, which count as blank (line {first_few(short)})"
        )
    width = max(used)
    return [
        (line, fields if len(fields) == width else (fields + [""] * (width - len(fields)))[:width])
        for line, fields in rows
    ]


def _column_names(header: Iterable[str]) -> list[str]:
    seen: dict[str, int] = {}
    names = []
    for place, name in enumerate(header, 1):
        name = name or f"Unnamed: {place}"
        seen[name] = seen.get(name, 0) + 1
        names.append(_twin(name, seen[name]))
    return names


def _twin(name: str, place: int) -> str:
    return name if place == 1 else f"{name}.{place}"


def _point(text: str, separator: str) -> str:
    found = DECIMAL_COMMA.fullmatch(text)
    # In a table with tabs 1,024 may be a thousand and twenty-four.
    if not found or (separator != ";" and len(found.group(2)) == 3 and found.group(1).lstrip("+-") not in ("", "0")):
        return text
    return f"{found.group(1)}.{found.group(2)}"
