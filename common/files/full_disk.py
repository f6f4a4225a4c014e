"""Says that a disk is full or cannot be written, in the words of the data: which file, how much is free, what to do."""

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from .errors import DatasetError

FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of this user is used up",
    errno.EFBIG: "it would be larger than a file may be here (ulimit -f, or the file system)",
}


@contextlib.contextmanager
def written_to(place: Path, needed: int | None = None) -> Iterator[None]:
    """Put an error of the operating system in the words of the data.

    An error counts by its `errno`. NumPy's `tofile`, and so `np.save`, raises without one: write an array's bytes.

    Args:
        place: folder that is written to in the block.
        needed: bytes that all of it takes, where that is known.

    Raises:
        DatasetError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            folder = next(path for path in (place, *place.parents) if path.is_dir())
            wanted = "" if needed is None else f"{needed / 1e6:.0f} MB are needed, "
            problem = f"{FULL[error.errno]} ({wanted}{shutil.disk_usage(folder).free / 1e6:.0f} MB are free)"
            remedy = "Free space"
        else:
            problem, remedy = f"it cannot be written ({error.strerror or error})", "Check its disk and permissions,"
        remedy += " or name another folder (output_root); the same command goes on from here"
        raise DatasetError(error.filename or place, problem, remedy) from error
