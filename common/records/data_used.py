"""What a data loader's dataset holds, counted: the one source for whatever names the data of a network."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .corpus import SPLITS, Corpus, Record


@dataclass(frozen=True)
class DataUsed:
    """The images of one data set that a dataset gives.

    Args:
        name: of the data set, as `Record.source`.
        split: "train", "val" or "test"; several are joined by `+`.
        images: how many, each counted once.
        patients: how many.
        unit: "images" or "volumes".
    """

    name: str
    split: str
    images: int
    patients: int
    unit: str = "images"

    def __str__(self) -> str:
        """Such as `chestxray14, train: 758 images of 250 patients`."""
        return f"{self.name}, {self.split}: {self.images:,} {self.unit} of {self.patients:,} patients"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; `DataUsed(**values)` reads them."""
        return asdict(self)


KINDS = {"name": str, "split": str, "images": int, "patients": int, "unit": str}


def as_data_used(values: Any) -> tuple[DataUsed, ...]:
    """What `DataUsed.as_dict` wrote, from a file that may hold anything.

    Raises:
        ValueError: no list of such entries.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"{str(values)[:80]!r} must be a list of data sets")
    found = []
    for value in values:
        entry = value.as_dict() if isinstance(value, DataUsed) else value
        known = isinstance(entry, Mapping) and {"name", "split", "images", "patients"} <= entry.keys() <= KINDS.keys()
        if not known or any(type(entry[key]) is not KINDS[key] for key in entry):
            raise ValueError(f"{str(entry)[:80]!r} must have a data set's name and split, and numbers of its images")
        found.append(DataUsed(**entry))
    return tuple(found)


def data_used(dataset: Any, corpus: Corpus | None = None) -> list[DataUsed]:
    """Count the images of a dataset by data set; empty where it does not tell.

    Args:
        dataset: over a store (`StoreViews`, `StoreImages`), several (`StoreRegions`), a cache of volumes
            (`VolumeCrops`), or items of `as_items` (`SeededDataset`).
        corpus: knows the records of items.
    """
    if hasattr(dataset, "cache") and hasattr(dataset.cache, "records"):
        return _count(dataset.cache.records, "volumes")
    if hasattr(dataset, "sources"):
        return _count(record for source in dataset.sources for record in source.used)
    if hasattr(dataset, "store"):
        return _count(dataset.store.records)
    return _count(_of_items(getattr(dataset, "data", None), corpus))


def _of_items(items: Any, corpus: Corpus | None) -> list[Record]:
    records = getattr(corpus, "records", ())
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        return []
    by_image = {record.image: record for record in records if isinstance(record, Record)}
    found = [by_image.get(item.get("source", "")) for item in items]
    # An item of unknown origin would make the counts a lie.
    return [record for record in found if record is not None] if None not in found else []


def _count(records: Iterable[Record], unit: str = "images") -> list[DataUsed]:
    by_source = defaultdict(list)
    for record in {record.image: record for record in records}.values():
        by_source[record.source].append(record)
    return [
        DataUsed(
            name,
            "+".join(split for split in SPLITS if any(record.split == split for record in found)),
            len(found),
            len({record.patient_id for record in found}),
            unit,
        )
        for name, found in by_source.items()
    ]
