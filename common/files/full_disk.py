"""Says that a disk is full, in the words of the data: which file, how much is free, what to do."""

import errno
import os
import shutil
from pathlib import Path

from .errors import DatasetError

CAUSES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of this user is used up",
    errno.EFBIG: "it would be larger than a file may be here (ulimit -f, or the file system)",
}


def full_disk(error: OSError, place: Path, needed: int | None = None) -> DatasetError | None:
    """Return what to raise in place of an error for want of space; None where it has another cause.

    Args:
        error: its `errno` counts. NumPy's `tofile`, and so `np.save`, raises without one: write an array's bytes.
        place: the file that was being written, or its folder.
        needed: bytes that all of it takes, where that is known.
    """
    if error.errno not in CAUSES:
        return None
    folder = next(path for path in (place, *place.parents) if path.is_dir())
    wanted = "" if needed is None else f"{needed / 1e6:.0f} MB are needed, "
    problem = f"{CAUSES[error.errno]} ({wanted}{shutil.disk_usage(folder).free / 1e6:.0f} MB are free)"
    remedy = "Free space or name another folder (output_root); the same command goes on from here"
    return DatasetError(os.fspath(error.filename or place), problem, remedy)
