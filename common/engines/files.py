"""Files that are complete or not there at all, and that tell when they are damaged."""

import os
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import torch

PARTIAL = ".partial"
"""Suffix of a file being written; what a killed process left under it is never read."""


def save_atomically(content: Any, path: str | Path) -> Path:
    """Write what `torch.save` writes under another name, force it to disk, then rename it.

    A process killed at any moment leaves the earlier file or the new one, never half of one.

    Args:
        content: state dicts and plain values, so that it loads with `weights_only`.
        path: file to write; its folder is made.

    Raises:
        OSError: it cannot be written (disk full, no permission); an earlier file of that name is unharmed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return path


def link_atomically(source: Path, path: Path) -> None:
    """Give a file a second name, in place of whatever had it; costs no space.

    Args:
        source: existing file.
        path: the other name, in the same folder.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    partial.unlink(missing_ok=True)
    os.link(source, partial)
    partial.replace(path)
    _sync_folder(path.parent)


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


def damage(path: Path) -> str | None:
    """Say what is wrong with a file that `torch.save` wrote, by its own checksums; None when it is sound."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        return str(error)
    return f"wrong checksum of {broken}" if broken else None


def first_sound(paths: Iterable[Path]) -> tuple[Path | None, dict[Path, str]]:
    """The first of some files that is whole, if any, and what is wrong with each one before it.

    Args:
        paths: that `torch.save` wrote, the most wanted first; those that are not there are passed over.
    """
    torn: dict[Path, str] = {}
    for path in paths:
        if path.is_file():
            problem = damage(path)
            if problem is None:
                return path, torn
            torn[path] = problem
    return None, torn


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
