"""Files that are complete or not there at all, and that tell when they are damaged."""

import contextlib
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PARTIAL = ".partial"
"""Suffix of a file being written; what a killed process left under it is never read."""


@contextlib.contextmanager
def replacing(*paths: Path, durable: bool = True) -> Iterator[list[Path]]:
    """Names to write files under, which take the places of `paths` once every one of them is complete.

    A process killed at any moment leaves each file as it was or new, never half of one; killed between two renames it
    leaves some as they were.

    Args:
        paths: files to write; their folders are made.
        durable: force the files to disk first, so that they outlast a power failure too.

    Raises:
        OSError: one cannot be written (disk full, no permission); the earlier files are unharmed.
    """
    partials = [path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}") for path in paths]
    folders = {path.parent for path in paths}
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    try:
        yield partials
        for partial in partials if durable else []:
            with partial.open("rb") as file:
                os.fsync(file.fileno())
        for partial, path in zip(partials, paths, strict=True):
            partial.replace(path)
    finally:
        for partial in partials:
            partial.unlink(missing_ok=True)
    for folder in folders if durable else ():
        _sync_folder(folder)


@contextlib.contextmanager
def outputs(*paths: Path) -> Iterator[list[Path]]:
    """Names to write a run's results under, as of `replacing`; an error names the files and what to do.

    Raises:
        OSError: one cannot be written; the earlier files are unharmed.
    """
    try:
        with replacing(*paths, durable=False) as partials:
            yield partials
    except OSError as error:
        names = ", ".join([str(paths[0]), *(path.name for path in paths[1:])])
        raise OSError(
            f"could not write {names}: {error}. {free_space(paths[0].parent):.0f} MiB are free there now; earlier "
            "files of that name are untouched. Free space or choose another output folder, then give the same command "
            "again."
        ) from error


def save_atomically(content: Any, path: str | Path) -> Path:
    """Write what `torch.save` writes under another name, force it to disk, then rename it.

    Args:
        content: state dicts and plain values, so that it loads with `weights_only`.
        path: file to write; its folder is made.

    Raises:
        OSError: it cannot be written (disk full, no permission); an earlier file of that name is unharmed.
    """
    import torch  # which takes seconds, and whatever writes other files does without

    path = Path(path)
    with replacing(path) as [partial], partial.open("wb") as file:
        torch.save(content, file)
    return path


def link_atomically(source: Path, path: Path) -> None:
    """Give a file a second name, in place of whatever had it; costs no space where the file system has links.

    Args:
        source: existing file.
        path: the other name, in the same folder.
    """
    with replacing(path) as [partial]:
        partial.unlink(missing_ok=True)
        try:
            os.link(source, partial)
        except OSError:  # exFAT and some network drives have none
            shutil.copyfile(source, partial)


def write_atomically(text: str, path: Path) -> None:
    """Write a small file as `outputs` does.

    Args:
        text: its content.
        path: file to write; its folder is made.
    """
    with outputs(path) as [partial]:
        partial.write_text(text, encoding="utf-8")


def write_durably(content: bytes, path: Path) -> None:
    """Write a file as `replacing` does, so that it outlasts a power failure too.

    Args:
        content: of the file.
        path: file to write; its folder is made.
    """
    with replacing(path) as [partial]:
        partial.write_bytes(content)


def sweep(folder: Path) -> None:
    """Remove what killed processes left half written; what a living process is writing stays.

    Args:
        folder: where files are written by this module or under names alike (`.<name>.<process>.partial`).
    """
    for leftover in folder.glob(f".*{PARTIAL}"):
        if not _is_being_written(leftover):
            leftover.unlink(missing_ok=True)


def _is_being_written(partial: Path) -> bool:
    number = partial.name.removesuffix(PARTIAL).rpartition(".")[2]
    if not number.isdigit() or int(number) == os.getpid():  # containers give the same number again and again
        return False
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it lives, as another user
        return True
    return True


def free_space(folder: Path) -> float:
    """MiB that are free where a folder is, or where it would be made."""
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    return shutil.disk_usage(there).free / 2**20


def damage(path: Path) -> str | None:
    """Say what is wrong with a file that `torch.save` wrote, by its own checksums; None when it is sound."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except Exception as error:  # a damaged directory makes zipfile raise nearly anything
        return str(error) or type(error).__name__
    return f"wrong checksum of {broken}" if broken else None


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
