"""From the recipe's list of data sets to what is trained on."""

from collections.abc import Mapping, Sequence
from typing import Any

from common.images import PatchRule, RegionSource, open_store
from common.readers import read

KEYS = {"dataset", "dataset_dir", "options", "weight", "images", "patches", "limit"}


def open_sources(
    datasets: Sequence[Mapping[str, Any]],
    directory: str,
    size: int,
    channels: int,
    min_size: int,
    split: str = "train",
    patches: PatchRule | None = None,
    limit: int | None = None,
    images: str = "once",
) -> list[RegionSource]:
    """Open the store of every data set, and list its images and patches.

    Args:
        datasets: per data set `dataset` (a reader's name) and `dataset_dir`, and where wanted `options` of the reader,
            `weight`, `images` and `patches` (true takes the recipe's rule) as of `RegionSource`, and `limit`.
        directory: where stores are kept.
        size: side of the stored images in pixels.
        channels: 1 or 3.
        min_size: see `open_store`.
        split: of every data set.
        patches: the recipe's rule; None for whole images alone.
        limit: of images per data set, for those that name none.
        images: as of `RegionSource`, for those that name none.

    Raises:
        ValueError: an entry has a key that is not known here.
    """
    for number, entry in enumerate(datasets):
        if unknown := sorted(set(entry) - KEYS):
            raise ValueError(f"datasets#{number} has {', '.join(unknown)}; known are {', '.join(sorted(KEYS))}.")
    corpora = [read(entry["dataset"], entry["dataset_dir"], **entry.get("options", {})) for entry in datasets]
    limits = [entry.get("limit", limit) for entry in datasets]  # beyond which no image is decoded
    stores = [
        open_store(corpus.subset(split, limit=most) if most else corpus, directory, size, channels, min_size=min_size)
        for corpus, most in zip(corpora, limits, strict=True)
    ]
    return [
        RegionSource(
            store.subset(split, limit=entry.get("limit", limit)),
            images=entry.get("images", images),
            patches=patches if entry.get("patches", True) else None,
            weight=entry.get("weight", 1.0),
        )
        for entry, store in zip(datasets, stores, strict=True)
    ]
