"""The files of one volume, and whether they have changed."""

import hashlib
import os
from dataclasses import astuple, dataclass
from pathlib import Path

from ..files.stamps import file_hash, stamp
from ..records import Calibration, Record
from .itk_formats import voxel_files
from .label_names import sidecars


@dataclass(frozen=True)
class Task:
    """What there is to prepare of one record.

    Args:
        image: file, or folder of a series.
        organs: label map, or None.
        calibration: of the record.
    """

    image: str
    organs: str | None = None
    calibration: Calibration | None = None

    @classmethod
    def of(cls, record: Record, organs: bool) -> "Task":
        """Take from a record what is read of it.

        Args:
            record: of a corpus of CT volumes.
            organs: label maps are wanted.
        """
        return cls(record.image, record.label_map if organs else None, record.calibration)

    @property
    def place(self) -> Path:
        """The image's path."""
        return Path(self.image)

    def stamps(self) -> list[list[int]]:
        """Return size and time of the files; of a folder the sums over its files."""
        return [list(_stamp(path).values()) for path in self._files()]

    def content(self) -> str:
        """Return a hash of the files' bytes and the calibration, the same wherever the files lie.

        Raises:
            OSError: a file cannot be read.
        """
        digest = hashlib.sha256(repr(self.calibration and astuple(self.calibration)).encode())
        for path in self._files():
            digest.update(_bytes_hash(Path(path)))
        return digest.hexdigest()[:24]

    def _files(self) -> list[str]:
        given = [Path(path) for path in (self.image, self.organs) if path is not None]
        # Names that are written or corrected beside a label map change what its numbers mean.
        beside = [] if self.organs is None else sidecars(Path(self.organs))
        return list(map(str, [*given, *beside, *(file for path in given for file in voxel_files(path))]))


def _stamp(path: str) -> dict[str, int]:
    whole = stamp(path)
    if not Path(path).is_dir():
        return whole
    # A slice that is overwritten in place leaves its folder's time as it was, and one with an old time the latest.
    with os.scandir(path) as entries:
        slices = [entry.stat() for entry in entries]
    size, times = sum(status.st_size for status in slices), sum(status.st_mtime_ns for status in slices)
    return {"bytes": size, "modified": whole["modified"] + times}


def _bytes_hash(path: Path) -> bytes:
    if path.is_dir():
        named = [(entry.name, entry) for entry in sorted(path.iterdir()) if entry.is_file()]
        parts = [name.encode() + b"\0" + _bytes_hash(entry) for name, entry in named]
        return hashlib.sha256(b"".join(parts)).digest()
    return file_hash(path).digest()
