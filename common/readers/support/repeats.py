"""A table that speaks of one thing on several lines: once where they agree, refused where they do not."""

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import pandas as pd

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few

Value = TypeVar("Value", bound=Hashable)


class Once(Generic[Value]):
    """What tables say of each name; those of one data set may be added one after the other.

    Args:
        what: of a name, for messages, such as "labels".
    """

    def __init__(self, what: str = "labels"):
        self.what = what
        self.of: dict[str, Value] = {}

    def read(self, lines: Iterator[tuple[int, str, str, Value]], path: Path) -> None:
        """Take the lines of a table, and say which of them repeat another.

        Args:
            lines: number of the line, what it calls the thing, the name by which it is kept, and what it says.
            path: of the table.

        Raises:
            DatasetError: a line that contradicts another.
        """
        again = []
        for line, called, name, value in lines:
            if name in self.of:
                again.append(called)
            if self.of.setdefault(name, value) != value:
                problem = f"line {line}: {called} has other {self.what} than on another line"
                raise DatasetError(path, problem, "Get the publisher's file again")
        if again:
            add_notice(f"{path.name} has {len(again)} lines twice, which count once ({first_few(again)})")


def lines_once(table: pd.DataFrame, column: str, path: Path) -> pd.DataFrame:
    """Leave out the lines of a table that repeat another one in all columns.

    Args:
        table: of one line for each image.
        column: names the image.
        path: of the table.

    Raises:
        DatasetError: lines of one image that contradict each other.
    """
    again = table.duplicated()
    twice = table[column][table[column].duplicated() & ~again]
    if len(twice):
        problem = f"{len(twice)} images have several lines that contradict each other ({first_few(twice)})"
        raise DatasetError(path, problem, "Get the publisher's file again")
    if again.any():
        add_notice(f"{path.name} has {again.sum()} lines twice, which count once ({first_few(table[column][again])})")
    return table[~again]
