"""What a publisher says about a data set, for readers to report against."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...records import SPLITS, Record
from .tree import Tree


@dataclass(frozen=True)
class Defect:
    """A known defect of a release, which `scripts/check_data.py` looks for by name.

    Args:
        name: such as "images of four channels".
        find: takes the folder and returns the files that have it.
        remedy: what the reader does about it, or what is left to do.
        opens: `find` looks into files, which a quick check does not.
    """

    name: str
    find: Callable[[Tree], Sequence[Path]]
    remedy: str
    opens: bool = False


@dataclass(frozen=True)
class Publication:
    """Facts about a data set as published.

    Args:
        name: as used in commands and store names.
        title: full name.
        where: address to obtain it from.
        licence: terms of use.
        citation: what to cite.
        images: number published; None where there is no publisher.
        patients: number published.
        splits: images in the publisher's own lists, by our split names; a validation share that we draw
            counts with "train". Empty where there is no official split and the reader draws one.
        files: what the root should hold, one phrase each.
        volumes: its images are CT volumes.
        gives: what comes with the images, one phrase each, such as "14 findings".
        signs: patterns of names, or of ends of paths, each of which only this data set has in common use: by them
            a folder is recognised. `*` also stands for folders; case does not count.
        defects: known of a release.
    """

    name: str
    title: str
    where: str
    licence: str
    citation: str
    images: int | None = None
    patients: int | None = None
    splits: Mapping[str, int] = field(default_factory=dict)
    files: Sequence[str] = ()
    volumes: bool = False
    gives: Sequence[str] = ()
    signs: Sequence[str] = ()
    defects: Sequence[Defect] = ()

    def compare(self, records: Sequence[Record]) -> list[str]:
        """Return one notice per count that differs from the publisher's; a subset is not an error."""
        found = {"images": len(records), "patients": len({record.patient_id for record in records})}
        stated = {"images": self.images, "patients": self.patients}
        if self.splits:
            held_out = {name: sum(record.split == name for record in records) for name in SPLITS}
            if "val" not in self.splits:
                held_out["train"] += held_out.pop("val")
            found |= {f"{name} images": held_out.get(name, 0) for name in self.splits}
            stated |= {f"{name} images": count for name, count in self.splits.items()}
        return [
            f"{count:,} {what} here, {stated[what]:,} published"
            for what, count in found.items()
            if stated[what] is not None and count != stated[what]
        ]
