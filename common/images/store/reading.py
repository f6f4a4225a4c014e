"""Compares what is read from a store with its checksums, each entry once."""

import mmap
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...files.errors import DatasetError
from .layout import CHECKSUM, IMAGES, SUSPECT


class FirstReading:
    """The entries of a store that were compared with their checksums, in memory that forked workers share.

    What one worker has compared, no other one and no later epoch repeats.

    Args:
        directory: of the store.
        table: of all its entries; one of an earlier format has no checksums, and nothing is compared.
    """

    def __init__(self, directory: Path, table: pd.DataFrame):
        self.directory = directory
        self.paths = table["path"]
        self.checksums = table[CHECKSUM].to_numpy() if CHECKSUM in table else None
        self._seen = self._shared()

    def waiting(self, rows: np.ndarray) -> int:
        """How many of these entries are still to be compared."""
        return 0 if self.checksums is None else int((self._seen[np.unique(rows)] == 0).sum())

    def compare(self, rows: np.ndarray, pixels: np.ndarray) -> int:
        """Compare those entries that are read for the first time, and return how many.

        Args:
            rows: of entries.
            pixels: uint8 (len(rows), bytes of an entry), as read.

        Raises:
            DatasetError: they differ from what was written; the next opening decodes that image again.
        """
        if self.checksums is None or self._seen[rows].all():
            return 0
        compared = 0
        for row, number in zip(*np.unique(rows, return_index=True), strict=True):
            if not self._seen[row]:
                if zlib.crc32(pixels[number]) != self.checksums[row]:
                    self._refuse(self.paths.iloc[row])
                self._seen[row] = 1
                compared += 1
        return compared

    def _refuse(self, path: str) -> None:
        with suppress(OSError), (self.directory / SUSPECT).open("a") as file:
            file.write(f"{path}\n")
        problem = f"the pixels of {path} are not those that were written: the file or the disk is damaged"
        remedy = "Start again: opening the store decodes that image again. See to the disk"
        raise DatasetError(self.directory / IMAGES, problem, remedy)

    def _shared(self) -> np.ndarray:
        return np.frombuffer(mmap.mmap(-1, len(self.paths)), dtype=np.uint8)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_seen"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._seen = self._shared()
