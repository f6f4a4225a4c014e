"""The files that an entry of a store is made from: their stamp and the hash of their content."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...files.stamps import file_hash, stamp
from ..formats.analyze import kind_of
from ..formats.pairs import KINDS, files_of
from .layout import BESIDE


def described(path: str, beside: Sequence[Path]) -> dict[str, Any]:
    """Return the part of an entry's line that tells its files: the image's stamp, and names and stamps of further ones.

    Args:
        path: of the image.
        beside: its further files, also those that are missing.
    """
    folder = Path(path).parent
    listed = [[os.path.relpath(file, folder), *stamp(file).values()] for file in beside]
    return {**stamp(path), BESIDE: json.dumps(listed) if listed else ""}


def described_now(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return that part of a line for its files as they are."""
    return described(line["path"], list(further_files(line)))


def further_files(line: Mapping[str, Any]) -> dict[Path, tuple[int, int]]:
    """Return the files that an entry is made from besides its image, with the size and time that the line tells."""
    path, told = Path(line["path"]), line.get(BESIDE)
    if isinstance(told, str):
        listed = json.loads(told) if told else ()
        return {path.parent / name: (size, modified) for name, size, modified in listed}
    # Of a store from before they were told.
    return dict.fromkeys(files_of(path)[1:], (0, 0)) if kind_of(path) in KINDS else {}


def has_moved(file: Path, told: tuple[int, int]) -> bool:
    """Whether a file has another size or time than it is said to have; one that is gone has not."""
    found = tuple(stamp(file).values())
    return any(found) and found != told


def content_hash(payload: bytes, beside: Sequence[Path]) -> str:
    """Return the SHA-256 of an image's content and, where it has further files, of theirs.

    Args:
        payload: all bytes of the image.
        beside: its further files; a missing one counts as none.

    Raises:
        OSError: one cannot be read.
    """
    return _hash([hashlib.sha256(payload), *map(file_hash, filter(Path.is_file, beside))])


def present_hash(line: Mapping[str, Any]) -> str:
    """Return what `content_hash` gives for the files that a line tells of, as they are now.

    Raises:
        OSError: one cannot be read.
    """
    return _hash([file_hash(Path(line["path"])), *map(file_hash, filter(Path.is_file, further_files(line)))])


def _hash(digests: Sequence[Any]) -> str:
    """The hash of the one file, or of several files' hashes."""
    if len(digests) == 1:
        return digests[0].hexdigest()
    return hashlib.sha256(b"".join(digest.digest() for digest in digests)).hexdigest()
