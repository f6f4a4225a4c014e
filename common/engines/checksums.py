"""Files that were written together, and how to tell that they no longer are what they were."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FILES = "files"
"""Key of a note under which the digests of the files beside it stand."""


def digests(files: Iterable[tuple[str, Path]]) -> dict[str, str]:
    """SHA-256 of files by the name that each is to have."""
    return {name: _digest(path) for name, path in files}


def mismatch(note: Path) -> str | None:
    """Say which file beside a note is missing or is not the one that was written with it; None when all belong.

    Args:
        note: JSON file with the digests of its neighbours under `files`; one without them vouches for nothing and is
            believed.
    """
    try:
        content: Any = json.loads(note.read_text())
        expected = dict(content.get(FILES, {}))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        return f"{note} is missing or damaged ({error})"
    for name, digest in expected.items():
        path = note.with_name(name)
        if not path.is_file():
            return f"{path} is missing"
        if _digest(path) != digest:
            return f"{path} is damaged, or not the one that was written with {note.name}"
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
