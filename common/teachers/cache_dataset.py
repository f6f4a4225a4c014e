"""From a data set's folder to a table of an expert's embeddings, or to a list for an expert elsewhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..images import PatchRule, RegionSource, StoreRegions, open_store
from ..readers import read
from ..views import AugmentedCrop
from .expert_cached import CachedExpert
from .expert_file import load_expert
from .expert_memory import cached_expert
from .item_list import write_list


def cache_dataset(
    expert: str | None,
    dataset: str,
    root: str,
    out: Path,
    *,
    told: Mapping[str, Any],
    options: Mapping[str, Any],
    stores: str,
    store_size: int,
    store_channels: int,
    patches: PatchRule | None,
    split: str | None,
    limit: int | None,
    absolute: bool,
    device: str,
    batch_size: int,
) -> str:
    """Embed every image and patch, or list them where there is no expert; returns how many, in words.

    Args:
        expert: file or folder of one; None lists what one elsewhere is to embed.
        dataset: a reader's name.
        root: the downloaded folder.
        out: table or list to write.
        told: arguments of `load_expert` for a file that does not describe itself.
        options: of the reader.
        stores: folder of the stores.
        store_size: pixels.
        store_channels: 1 or 3.
        patches: of the images; None takes whole images alone.
        split: one split; None takes all.
        limit: at most so many images.
        absolute: name files by whole paths, not relative to `root`.
        device: where the network runs.
        batch_size: items at a time.

    Raises:
        ValueError: see `load_expert`, `cached_expert` and `write_list`; or `expert` is a table already.
        DatasetError: see `common.readers.read` and `open_store`.
    """
    loaded = None if expert is None else load_expert(expert, "expert", **told)
    if isinstance(loaded, CachedExpert):
        raise ValueError(f"{expert} holds embeddings already; give the expert that they are to come from.")
    store = open_store(read(dataset, root, **options), stores, store_size, store_channels)
    regions = RegionSource(store.subset(split, limit=limit), patches=patches)
    items = StoreRegions([regions], AugmentedCrop(1, area=None), seed=0)
    base = None if absolute else Path(root).resolve()
    if loaded is None:
        return f"{write_list(items, out, base):,} images and patches"
    cached = cached_expert(loaded, [items], out, device, batch_size, base)
    return f"{len(items):,} images and patches, {cached.embed_dim} numbers each"
