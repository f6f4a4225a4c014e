"""One process at a time.

No lock outlives its process, however that ends; lock files stay, since removing them races. Two kinds, because the
system's locks differ in who shares them: children that were forked, or children that were given the file. A third one,
which no child shares, is `common.claims`.
"""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, after waiting for the process that has it; forked children do not hold it.

    Args:
        path: of the lock file; its folder exists.

    Raises:
        OSError: a file system without locks.
    """
    lock = FileLock(path, fallback_to_soft=False)  # a soft lock would outlive its process
    try:
        lock.acquire(blocking=False)
    except Timeout:
        logger.info("Waiting for another process that has %s", path.name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def locked_if_free(path: Path) -> Iterator[int | None]:
    """Hold a lock file without waiting; gives its descriptor, or None while another process has it.

    A child that is given the descriptor (`pass_fds`) holds the lock too, until both have ended. `filelock` takes the
    lock from the child when the parent lets go, so this is the system's own.

    Args:
        path: made with its folder when it does not exist.
    """
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield file.fileno()


def shared(path: Path) -> int:
    """Keep `locked_if_free` from a file together with others, where there are locks; returns the descriptor to close.

    Args:
        path: of an existing file, which may be read-only.

    Raises:
        FileNotFoundError: there is none.
    """
    import fcntl

    descriptor = os.open(path, os.O_RDONLY)
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return descriptor
