"""A file that a process has for itself until it ends, however it ends; no library is waited for to ask who has it.

The system's record locks belong to a process as a whole: it may claim a file again, which in a notebook goes on with a
training whose objects still live, and forked data loader workers, which outlive a killed process by some seconds, do
not inherit them. They can be asked about without being taken, as the locks of `common.files` cannot.
"""

import struct
import sys
from pathlib import Path
from typing import IO

# struct flock of 64-bit systems, and where in it the kind of the lock stands
LAYOUTS = {"linux": ("hhqqi4x", 0), "darwin": ("qqihh", 3)}


def claim(path: Path) -> IO[str] | None:
    """Lock a file for this process until it ends; None when another process has it.

    Args:
        path: made with its folder when it does not exist.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a")
    try:
        import fcntl

        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.close()
        return None
    except (ImportError, OSError):  # a system or file system without such locks
        pass
    return file


def claimed_elsewhere(path: Path) -> bool:
    """Whether another process has claimed a file; where there is none, or nothing tells, nobody has.

    Nothing is taken, not for an instant, so that a process that claims it now is not sent away. To close a file is to
    let go of a claim of this process all the same, so it asks before it claims.

    Args:
        path: may be read-only.
    """
    if sys.platform not in LAYOUTS:
        return False
    layout, kind = LAYOUTS[sys.platform]
    try:
        import fcntl

        asked = [0] * 5  # from its first byte to its last
        asked[kind] = fcntl.F_WRLCK
        with path.open("rb") as file:
            answer = fcntl.fcntl(file, fcntl.F_GETLK, struct.pack(layout, *asked))
    except (ImportError, OSError):  # no such file, or a system or file system without such locks
        return False
    return bool(struct.unpack(layout, answer)[kind] != fcntl.F_UNLCK)
