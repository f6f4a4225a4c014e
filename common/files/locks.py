"""One process at a time."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import IO

logger = logging.getLogger(__name__)


def claim(path: Path) -> IO[str] | None:
    """Lock a file for this process until it ends, however it ends; None when another process has it.

    The system's record locks are used because forked data loader workers, which outlive a killed process by some
    seconds, do not inherit them.

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


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, after waiting for the process that has it.

    Args:
        path: of the lock file; its folder exists.
    """
    # The kernel drops the lock with the process, however it ends; the file stays, since removing it races.
    import fcntl

    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("Waiting for another process that has %s", path.name)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
