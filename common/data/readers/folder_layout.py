"""What a path in a plain folder says about its image: split, class and patient."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...records import SPLITS, Record
from ..errors import DatasetError
from .folder_table import FolderTable, Row
from .tables import some


class Layout:
    """Turns paths into records, by folder names, a pattern and a table.

    Args:
        base: the root.
        table: of labels, or None.
        classes: names of class folders, unless the table gives the labels.
        pattern: of the patient, searched in the path below the root.
        split_folders: folder name -> split.

    Raises:
        DatasetError: a pattern that is no regular expression, or a value of split_folders that is no split.
    """

    def __init__(
        self,
        base: Path,
        table: FolderTable | None,
        classes: Sequence[str] | None,
        pattern: str | None,
        split_folders: Mapping[str, str],
    ):
        self.base, self.table, self.split_folders = base, table, split_folders
        self.by_folder = bool(classes) and not (table and table.findings)
        self.findings = tuple(classes or ()) if self.by_folder else (table.findings if table else ())
        strange = set(split_folders.values()) - set(SPLITS)
        if strange:
            raise DatasetError("split_folders", f"unknown split {strange.pop()!r}", f"Known are {', '.join(SPLITS)}")
        try:
            self.pattern = re.compile(pattern) if pattern else None
        except re.error as error:
            problem = f"{pattern!r} is no regular expression ({error})"
            raise DatasetError("patient_pattern", problem, "Correct it") from None
        self.unlisted: list[str] = []
        self.unmatched: list[str] = []
        self.named: set[str] = set()

    def record(self, path: Path, source: str) -> Record:
        """Return the record of one image."""
        parts = path.relative_to(self.base).parts[:-1]
        row = self.table.find(path, self.base) if self.table else None
        if self.table and row is None:
            self.unlisted.append(path.name)
        if row is None:
            row = Row(path.name)
        else:
            self.named.add(row.image)
        labels = self._class_labels(parts) if self.by_folder else row.labels
        # The innermost name counts: data/train/val.old/train is train.
        folders = [self.split_folders[part] for part in reversed(parts) if part in self.split_folders]
        split = row.split or (folders[0] if folders else "train")
        return Record(str(path), row.patient or self._patient(path), split, source, labels, view=row.view)

    def review(self, records: Sequence[Record]) -> tuple[list[Record], list[str]]:
        """Drop nested copies and say what did not fit.

        Raises:
            DatasetError: the table, the classes or the pattern fit no image at all.
        """
        kept, notices = self._without_copies(records)
        if self.by_folder and not any(record.labels for record in kept):
            problem = f"no image lies in a folder named {' or '.join(self.findings)}"
            raise DatasetError(self.base, problem, "Check the option classes")
        if self.table and not self.named:
            problem = f"none of its images ({some(row.image for row in self.table.rows)}) is in {self.base}"
            raise DatasetError(self.table.path, problem, "Check the options image_column and images")
        if self.pattern and len(self.unmatched) == len(records):
            problem = f"{self.pattern.pattern!r} matches no path, such as {self.unmatched[0]}"
            raise DatasetError("patient_pattern", problem, "Correct it; it is searched in the path below the root")
        if self.table:
            lost = [row.image for row in self.table.rows if row.image not in self.named]
            notices += [f"{self.table.path.name} names {len(lost)} images that are not here ({some(lost)})"] * bool(
                lost
            )
        for names, what in (
            (self.unlisted, "have no line in the table"),
            (self.unmatched, "do not match patient_pattern and count as patients of their own"),
        ):
            notices += [f"{len(names)} images {what} ({some(names)})"] * bool(names)
        return kept, notices

    def _class_labels(self, parts: Sequence[str]) -> tuple[float, ...] | None:
        name = next((part for part in reversed(parts) if part in self.findings), None)
        return None if name is None else tuple(float(name == finding) for finding in self.findings)

    def _patient(self, path: Path) -> str:
        below = path.relative_to(self.base).as_posix()
        match = self.pattern.search(below) if self.pattern else None
        if match is None:
            if self.pattern:
                self.unmatched.append(below)
            return below
        return next((group for group in match.groups() if group), match.group())

    def _without_copies(self, records: Sequence[Record]) -> tuple[list[Record], list[str]]:
        """Drop a file that lies in the same split and class again: some archives nest a copy of themselves."""
        if not self.by_folder:
            return list(records), []
        seen: dict[tuple[object, ...], Record] = {}
        for record in records:
            path = Path(record.image)
            seen.setdefault((record.split, record.labels, path.name, path.stat().st_size), record)
        copies = len(records) - len(seen)
        return list(seen.values()), [f"{copies} copies in nested folders left out"] * bool(copies)
