"""What tells whether a file is still the one that was read: size and time, or the hash of its content."""

import hashlib
import os
from pathlib import Path
from typing import Any


def stamp(path: str | os.PathLike[str]) -> dict[str, int]:
    """Return a file's size and time; zeros where there is nothing that can be read, which a repair changes.

    Args:
        path: a file, or the name of a missing one.

    Returns:
        "bytes", and "modified" in nanoseconds since 1970.
    """
    try:
        status = Path(path).stat()
    except OSError:
        return {"bytes": 0, "modified": 0}
    if not os.access(path, os.R_OK):
        return {"bytes": 0, "modified": 0}
    return {"bytes": status.st_size, "modified": status.st_mtime_ns}


def file_hash(path: Path) -> Any:
    """Return the SHA-256 of a file's content, as hashlib's object.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256")
