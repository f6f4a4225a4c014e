"""What a path in a plain folder says about its image: split, class and patient."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from ...records import SPLITS, Record
from ..support.copies import equal_files, first_few_below
from ..support.spelling import SPLIT_FOLDERS, folded, one_spelling, spelled
from ..support.suffixes import below
from ._table import FolderTable, Row

ALIKE_SPLITS = re.compile(r"imagest[rs]|.*\b(train|val|valid|test)(ing|ation)?(set)?\d*\b.*")


@dataclass(frozen=True)
class Place:
    """What a folder says about the images in it; None where it says nothing."""

    labels: tuple[float, ...] | None
    split: str | None


class Layout:
    """Turns paths into records, by folder names, a pattern and a table.

    Args:
        base: the root.
        names: path -> all paths that lead to the same file, itself first.
        table: of labels, or None.
        classes: names of class folders, unless the table gives the labels.
        pattern: of the patient, searched in the path below the root.
        split_folders: folder name -> split; None knows the usual ones.

    Raises:
        DatasetError: a pattern that is no regular expression, or a value of split_folders that is no split.
    """

    def __init__(
        self,
        base: Path,
        names: Callable[[Path], Sequence[Path]],
        table: FolderTable | None,
        classes: Sequence[str] | None,
        pattern: str | None,
        split_folders: Mapping[str, str] | None,
    ):
        self.base, self.names, self.table = base, names, table
        self.split_folders = split_folders or SPLIT_FOLDERS
        self.by_folder = bool(classes) and not (table and table.findings)
        self.findings = tuple(map(str, classes or ())) if self.by_folder else (table.findings if table else ())
        strange = set(self.split_folders.values()) - set(SPLITS)
        if strange:
            raise DatasetError("split_folders", f"unknown split {strange.pop()!r}", f"Known are {', '.join(SPLITS)}")
        try:
            self.pattern = re.compile(pattern) if pattern else None
        except re.error as error:
            problem = f"{pattern!r} is no regular expression ({error})"
            raise DatasetError("patient_pattern", problem, "Correct it") from None
        self._places: dict[Path, Place] = {}

    def without_copies(self, images: Sequence[Path]) -> list[Path]:
        """Drop files that lie in the same split and class again: the same name and the same bytes.

        Raises:
            DatasetError: files of the same bytes lie in the folders of two classes.
        """
        self._review_copies(images)
        if not self.by_folder:
            return list(images)
        alike = defaultdict(list)
        for image in images:
            alike[self._place(image.parent), image.name].append(image)
        copies = {
            copy for group in alike.values() if len(group) > 1 for equal in equal_files(group) for copy in equal[1:]
        }
        if copies:
            add_notice(f"{len(copies)} copies in other folders left out ({first_few_below(self.base, sorted(copies))})")
        return [image for image in images if image not in copies]

    def _review_copies(self, images: Sequence[Path]) -> None:
        """Refuse the same bytes in two classes, and say where they are in two splits."""
        if len({self._place(folder) for folder in {image.parent for image in images}}) < 2:
            return
        # Empty files are no copies: a download was cut off.
        groups = [group for group in equal_files(images) if len(group) > 1 and group[0].stat().st_size]
        places = [[self._place_of_all(image) for image in group] for group in groups]
        contrary = [g for g, found in zip(groups, places, strict=True) if len({p.labels for p in found} - {None}) > 1]
        if contrary:
            problem = (
                f"files of the same bytes are in folders of several classes ({first_few_below(self.base, contrary[0])})"
            )
            raise DatasetError(self.base, problem, "Keep the one whose class is right")
        shared = [g for g, found in zip(groups, places, strict=True) if len({p.split for p in found} - {None}) > 1]
        if shared:
            examples = "; ".join(first_few_below(self.base, group) for group in shared[:3])
            add_notice(f"{len(shared)} images are in several splits, in files of the same bytes ({examples})")

    def records(self, images: Sequence[Path], source: str) -> list[Record]:
        """Return the record of each image, and say what did not fit.

        Raises:
            DatasetError: the classes or the pattern fit no image at all, or one file lies in two classes or splits.
        """
        rows = [(self.table and self.table.find(image)) or Row(image.name) for image in images]
        places = [self._place_of_all(image) for image in images]
        patients = self._patients(images, rows)
        records = [
            Record(
                str(image),
                patient,
                row.split or place.split or "train",
                source,
                place.labels if self.by_folder else row.labels,
                view=row.view,
                study_id=row.study,
                sex=row.sex,
                age=row.age,
                pixel_spacing=row.spacing,
            )
            for image, row, place, patient in zip(images, rows, places, patients, strict=True)
        ]
        self._review(images, rows, records)
        told = [row.split or place.split for row, place in zip(rows, places, strict=True)]
        self._tell_splits([image for image, split in zip(images, told, strict=True) if not split], len(images))
        return records

    def _patients(self, images: Sequence[Path], rows: Sequence[Row]) -> list[str]:
        stated = self.table is not None and "patient" in self.table.columns
        patients, alone = [], []
        matched: dict[int, str] = {}
        for place, (image, row) in enumerate(zip(images, rows, strict=True)):
            found = None if row.patient or not self.pattern else self._match(image)
            if found is not None:
                matched[place] = found
            elif not row.patient and (stated or self.pattern):
                alone.append(image)
            patients.append(row.patient or below(image, self.base) or ".")
        if self.pattern and not matched and len(alone) == len(images):
            problem = f"{self.pattern.pattern!r} matches no path, such as {alone[0].relative_to(self.base)}"
            raise DatasetError("patient_pattern", problem, "Correct it; it is searched in the path below the root")
        spelling = one_spelling(matched.values(), "patients in paths")
        for place, patient in matched.items():
            patients[place] = spelling[patient]
        if alone:
            what = "do not match patient_pattern" if self.pattern else f"have no patient in {self.table.path.name}"  # type: ignore[union-attr]  # stated
            add_notice(
                f"{len(alone)} images {what} and count as patients of their own ({first_few_below(self.base, alone)})"
            )
        return patients

    def _match(self, image: Path) -> str | None:
        for path in self.names(image):
            match = self.pattern.search(below(path, self.base))  # type: ignore[union-attr]
            if match:
                return next((group for group in match.groups() if group), match.group())
        return None

    def _place_of_all(self, image: Path) -> Place:
        """What the folders of all paths of a file say."""
        names = self.names(image)
        if len(names) == 1:
            return self._place(image.parent)
        places = [self._place(path.parent) for path in names]
        facts = []
        for what, stated in (("class", [p.labels for p in places]), ("split", [p.split for p in places])):
            told = list(dict.fromkeys(fact for fact in stated if fact is not None))
            if len(told) > 1:
                problem = f"one file is in several folders of a {what} ({first_few_below(self.base, names)})"
                raise DatasetError(self.base, problem, "Keep one of these links")
            facts.append(told[0] if told else None)
        return Place(*facts)  # type: ignore[arg-type]

    def _place(self, folder: Path) -> Place:
        if folder not in self._places:
            # A series of slices may be all of the root.
            below = folder.relative_to(self.base).parts if folder.is_relative_to(self.base) else ()
            parts = list(reversed(below))
            classes = {name: name for name in self.findings} if self.by_folder else {}
            # The name as it is spelled first: a patient's folder 'a' in the class 'B' is not the class 'A'.
            named = [part for part in parts if part in classes]
            named += [found for part in parts if (found := spelled(classes, part, folded))]
            labels = tuple(float(named[0] == finding) for finding in self.findings) if named else None
            # The innermost name counts: data/train/val.old/train is train.
            splits = (spelled(self.split_folders, part, folded) for part in parts)
            self._places[folder] = Place(labels, next((split for split in splits if split), None))
        return self._places[folder]

    def _review(self, images: Sequence[Path], rows: Sequence[Row], records: Sequence[Record]) -> None:
        if self.by_folder:
            bare = [image for image, record in zip(images, records, strict=True) if record.labels is None]
            if len(bare) == len(images):
                problem = f"no image lies in a folder named {' or '.join(self.findings)}"
                raise DatasetError(self.base, problem, "Check the option classes")
            if bare:
                text = f"{len(bare)} images lie in no folder named {' or '.join(self.findings)} and have no label"
                add_notice(f"{text} ({first_few_below(self.base, bare)})")
        if self.table is None:
            return
        if self.table.lost:
            lost = self.table.lost
            add_notice(f"{self.table.path.name} names {len(lost)} images that are not here ({first_few(lost)})")
        unlisted = [image for image in images if self.table.find(image) is None]
        if unlisted:
            add_notice(f"{len(unlisted)} images have no line in the table ({first_few_below(self.base, unlisted)})")

    def _tell_splits(self, untold: Sequence[Path], count: int) -> None:
        """Say where a name looks like a split's and is none, and where only some images have a split."""
        folders = {part for image in untold for part in image.relative_to(self.base).parts[:-1]}
        alike = sorted(part for part in folders if ALIKE_SPLITS.fullmatch(re.sub(r"[_\W]+", " ", part.casefold())))
        if alike:
            add_notice(
                f"folders that may be splits are not taken for them ({first_few(alike)}): name them in split_folders"
            )
        if 0 < len(untold) < count:
            add_notice(
                f"{len(untold)} images have no split where others do, and train ({first_few_below(self.base, untold)})"
            )
