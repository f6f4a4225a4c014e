"""What a publisher says about a data set, for readers to report against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...records import SPLITS, Record


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
