"""The folder that `segment_ct.py` fills: which label maps are there, who works on which, and what failed."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

from ..files import locked, locked_if_free, write_atomically
from ..readers.support.label_maps import place_below

SETTINGS, FAILURES = "segment_ct.json", "failures.json"
LOCKS = ".locks"  # hidden, as drafts are: readers take neither for label maps


class Output:
    """Label maps in the layout of their volumes.

    Args:
        folder: made when the first of them is begun.
        root: of the volumes, below which their layout begins.
    """

    def __init__(self, folder: Path, root: Path):
        self.folder, self.root = folder, root

    def path(self, image: str) -> Path:
        """Where the label map of a volume goes; it is there whole or not at all.

        Args:
            image: file, or folder of a series.
        """
        return self.folder / f"{place_below(self.root, Path(image))}.nii.gz"

    def agree(self, settings: Mapping[str, Any]) -> None:
        """Keep how label maps are made, or compare it with how those that are there were.

        Raises:
            ValueError: they were made otherwise.
        """
        (self.folder / LOCKS).mkdir(parents=True, exist_ok=True)
        file = self.folder / SETTINGS
        with locked(self.folder / LOCKS / SETTINGS):
            before = json.loads(file.read_text()) if file.is_file() else settings
            if before != settings:
                differing = ", ".join(
                    f"{key} was {before.get(key)} and is {settings.get(key)}"
                    for key in sorted(before.keys() | settings.keys())
                    if before.get(key) != settings.get(key)
                )
                raise ValueError(f"{self.folder} was made otherwise ({differing}): name another folder")
            write_atomically(json.dumps(settings, indent=1) + "\n", file)

    @contextmanager
    def claim(self, image: str) -> Iterator[bool]:
        """Take a volume in hand; gives False where it is finished or another process has it."""
        path = self.path(image)
        lock = self.folder / LOCKS / f"{path.relative_to(self.folder)}.lock"
        with locked_if_free(lock) as mine:
            for draft in path.parent.glob(f".{escape(path.name)}.*") if mine is not None else ():
                draft.unlink()  # a killed process's
            yield mine is not None and not path.is_file()
            # Who opened the file before it goes finds the label map finished.
            if mine is not None and path.is_file():
                lock.unlink(missing_ok=True)

    def note(self, image: str, reason: str | None) -> None:
        """Keep why a volume failed; None where it did not."""
        file = self.folder / FAILURES
        with locked(self.folder / LOCKS / FAILURES):
            failures = json.loads(file.read_text()) if file.is_file() else {}
            before = dict(failures)
            failures.pop(image, None)
            if reason is not None:
                failures[image] = reason
            if not failures:
                file.unlink(missing_ok=True)
            elif failures != before:
                write_atomically(json.dumps(failures, indent=1) + "\n", file)
