"""A corpus as one memory-mapped uint8 array with a side table; built once, shared by workers and ranks."""

import logging
import os
import weakref
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ...files.errors import DatasetError
from ...files.locks import shared
from ...files.quarantine import Quarantined, named, nothing_left, quarantined
from ...records import Corpus, Record
from .build import build_directory
from .layout import CHECKSUM, QUARANTINE, SUMMARY, TABLE, map_images, read_quarantine, read_summary, read_table
from .reading import FirstReading

LIVE = ("_mapped", "_flat")  # parts that a pickle leaves out

logger = logging.getLogger(__name__)


class Store:
    """Images of one size, with their records.

    Make one with `open_store` (or `Store.build`). Pixels are never loaded as a whole: the
    operating system maps the file, and all processes of a machine share the mapped pages. Each entry is compared with
    its checksum when a run reads it for the first time.

    Args:
        directory: a finished store.
        corpus: gives the records, in its order; its images must be in the store.
        min_size: as in `open_store`.
    """

    def __init__(self, directory: str | os.PathLike[str], corpus: Corpus, min_size: int | None = None):
        if min_size is not None and min_size < 1:
            raise ValueError(f"min_size is {min_size}; it must be 1 or more, or null to keep images of every size")
        self.directory = Path(directory)
        self.corpus = corpus
        self.min_size = min_size
        self._hold()
        summary = read_summary(self.directory)
        self.size, self.channels = summary["size"], summary["channels"]
        row_of = {path: row for row, path in enumerate(self._whole_table["path"])}
        left_out = {bad.path for bad in self.quarantine}
        known = tuple(record for record in corpus.records if record.image in row_of and record.image not in left_out)
        missing = {record.image for record in corpus.records} - set(row_of) - left_out
        if missing:
            problem = f"{len(missing)} images of {corpus.name} are not in the store, such as {min(missing)}"
            raise DatasetError(self.directory, problem, "Open it by open_store, which builds what is missing")
        if not known:
            raise nothing_left(corpus.name, f"all {len(left_out)} images are left out", self.quarantine)
        self.records: tuple[Record, ...] = known
        self.rows = np.array([row_of[record.image] for record in known], dtype=np.int64)
        self._first = FirstReading(self.directory, self._whole_table)  # before workers are forked, which share it
        self._unread = self._first.waiting(self.rows)

    @classmethod
    def build(
        cls,
        corpus: Corpus,
        directory: str | os.PathLike[str],
        size: int,
        channels: int = 1,
        workers: int | None = None,
        progress: bool = True,
    ) -> "Store":
        """Decode, resize (antialiased) and write every image of a corpus; go on where a killed run stopped.

        Args:
            corpus: from a reader.
            directory: where stores are kept; this one's own folder in it is derived from its content.
            size: height and width of the stored images, 1 or more.
            channels: 1 or 3.
            workers: processes; None takes all cores.
            progress: show a progress bar.

        Returns:
            The store. Unreadable files are not in it but in `quarantine`.

        Raises:
            DatasetError: no image could be read at all, or the disk is full.
        """
        final = build_directory(corpus, Path(directory), size, channels, workers, progress)
        return cls(final, corpus)

    def __len__(self) -> int:
        return len(self.records)

    @cached_property
    def _mapped(self) -> np.ndarray:
        return map_images(self.directory, (len(self._whole_table), self.channels, self.size, self.size))

    @cached_property
    def _whole_table(self) -> pd.DataFrame:
        return read_table(self.directory)

    @property
    def images(self) -> np.ndarray:
        """The mapped images, uint8 (N, C, S, S), aligned with `records`; they are not compared with their checksums.

        Raises:
            ValueError: the records are a scattered subset; use `batch`.
        """
        if len(self.rows) == 0 or np.array_equal(self.rows, np.arange(self.rows[0], self.rows[0] + len(self.rows))):
            start = int(self.rows[0]) if len(self.rows) else 0
            return self._mapped[start : start + len(self.rows)]
        raise ValueError("this store's records are scattered over its file; read them by batch(indices)")

    @cached_property
    def sizes(self) -> np.ndarray:
        """Original (height, width) of each record's image, int (N, 2)."""
        return self._whole_table[["height", "width"]].to_numpy()[self.rows]

    @cached_property
    def quarantine(self) -> tuple[Quarantined, ...]:
        """The files that are left out: those that could not be read, then those smaller than `min_size`."""
        return self._unreadable + self._small

    @cached_property
    def _unreadable(self) -> tuple[Quarantined, ...]:
        return quarantined(read_quarantine(self.directory))

    @cached_property
    def _small(self) -> tuple[Quarantined, ...]:
        if self.min_size is None:
            return ()
        table = self._whole_table
        below = table[table[["height", "width"]].min(axis=1) < self.min_size]
        remedy = "Get it in its full size or leave it out, or lower min_size together with the crops that it serves"
        return tuple(
            Quarantined(path, f"{height} x {width} pixels, its short side is below min_size {self.min_size}", remedy)
            for path, height, width in below[["path", "height", "width"]].itertuples(index=False)
        )

    def _log_summary(self) -> None:
        """Say at every opening what is left out, since who trains is often not who built."""
        for bad, what, listed in (
            (self._unreadable, "cannot be read", QUARANTINE),
            (self._small, f"are smaller than min_size {self.min_size}", TABLE),
        ):
            if bad:
                count = len(self._whole_table) + len(self._unreadable)
                message = "%d of %d images of %s %s and are left out: %s. Listed in %s"
                place = self.directory / listed
                logger.warning(message, len(bad), count, self.corpus.name, what, named(bad), place)

        if CHECKSUM not in self._whole_table:
            message = (
                "%s is of an earlier format without checksums: damage to its pixels goes unnoticed. Remove it, and "
            )
            logger.warning(message + "it is built again with them", self.directory)

    def batch(self, indices: Sequence[int] | np.ndarray | torch.Tensor) -> torch.Tensor:
        """Copy images into one contiguous tensor.

        Args:
            indices: of records, each in [0, len(self)).

        Returns:
            uint8 (len(indices), C, S, S), its own memory.

        Raises:
            DatasetError: pixels differ from what was written; the next opening decodes these images again.
        """
        rows = self.rows[np.asarray(indices, dtype=np.int64)]
        batch = torch.empty((len(rows), self.channels, self.size, self.size), dtype=torch.uint8)
        pixels = batch.view(len(rows), -1).numpy()
        # Rows are checked above, and "clip" alone lets numpy copy straight into `out`.
        np.take(self._flat, rows, axis=0, out=pixels, mode="clip")
        if self._unread:
            self._unread -= self._first.compare(rows, pixels)
        return batch

    @cached_property
    def _flat(self) -> np.ndarray:
        # A plain array over the same pages: slicing a memmap object costs microseconds each time.
        return np.asarray(self._mapped).reshape(len(self._mapped), -1)

    def subset(
        self, split: str | None = None, fraction: float | None = None, limit: int | None = None, seed: int | None = 99
    ) -> "Store":
        """Return the same file with fewer records; arguments as `Corpus.subset`."""
        corpus = replace(self.corpus, records=self.records).subset(split, fraction, limit, seed)
        fewer = Store(self.directory, corpus, self.min_size)
        fewer.__dict__.update({key: self.__dict__[key] for key in LIVE if key in self.__dict__})
        fewer._first = self._first
        fewer._unread = fewer._first.waiting(fewer.rows)
        return fewer

    def __getstate__(self) -> dict:
        # Workers map the file again instead of receiving its pages through a pipe.
        return {key: value for key, value in self.__dict__.items() if key not in LIVE}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._unread = self._first.waiting(self.rows)
        self._hold()

    def _hold(self) -> None:
        """Mark the store as open, so that no process builds it again."""
        try:
            handle = shared(self.directory / SUMMARY)
        except FileNotFoundError:
            return  # said by whatever reads the store next
        weakref.finalize(self, os.close, handle)


def open_store(
    corpus: Corpus,
    directory: str | os.PathLike[str],
    size: int,
    channels: int = 1,
    workers: int | None = None,
    progress: bool = True,
    min_size: int | None = None,
) -> Store:
    """Open the corpus's store, building it first where there is none or where files have changed.

    Several processes may call it at once: one builds, the others wait. What is left out is logged at every opening.

    Args:
        corpus: from a reader; take subsets of the store, not of the corpus, to share one file.
        directory: where stores are kept.
        size: height and width of the stored images.
        channels: 1 or 3.
        workers: processes for building; None takes all cores.
        progress: show a progress bar while building.
        min_size: pixels of an original's short side, 1 or more; smaller images would have to be enlarged and are
            left out with a reason. None keeps all. Judged when the store is opened: one file serves every value.

    Raises:
        DatasetError: see `Store.build`; or every image is smaller than `min_size`.
        ValueError: size, channels or min_size out of range.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> from common.readers import read
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.linear_gradient("L").save(Path(folder) / "one.png")
        ...     corpus = read("folder", folder, val_fraction=0.0, test_fraction=0.0)
        ...     store = open_store(corpus, Path(folder) / "stores", size=16, workers=1, progress=False)
        ...     store.batch([0]).shape, store.batch([0]).dtype
        (torch.Size([1, 1, 16, 16]), torch.uint8)
    """
    store = Store(build_directory(corpus, Path(directory), size, channels, workers, progress), corpus, min_size)
    store._log_summary()
    return store
