"""Datasets over a store, and MONAI's cached dataset with randomness that does not depend on workers."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import CacheDataset
from torch.utils.data import Dataset

from ..files.errors import DatasetError, UnreadableImage
from ..records import IGNORE, Corpus, Record
from ..sampling import SampleKey, SamplesParams, generator_for, seed_for
from .decode import read_mask
from .store.store import Store

TASKS = ("label", "masks")


class StoreViews(Dataset):
    """Images of a store with the parameters of their views, ready for PyTorch's default collation.

    Only the parameters are drawn here; the view renders a whole batch wherever the images are. They depend
    on (seed, epoch, index) alone.

    Args:
        store: whole or a subset.
        view: its `sample(generator, (H, W))` gives a dictionary of tensors. One that changes with the epochs has `at`,
            which gives the view of an epoch, counted from 0.
        seed: the run's seed.
    """

    def __init__(self, store: Store, view: SamplesParams[tuple[int, int]], seed: int):
        self.store, self.view, self.seed = store, view, seed

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, key: SampleKey | int) -> dict[str, Any]:
        """Return image (uint8, (C, S, S)), source, index, labels where there are some, and view."""
        return self.__getitems__([key])[0]

    def __getitems__(self, keys: Sequence[SampleKey | int]) -> list[dict[str, Any]]:
        """Return the items of a batch; their images are read in one go."""
        wanted = [_as_key(key) for key in keys]
        images = self.store.batch([key.index for key in wanted])
        return [self._item(key, image) for key, image in zip(wanted, images.unbind(0), strict=True)]

    def _item(self, key: SampleKey, image: torch.Tensor) -> dict[str, Any]:
        record = self.store.records[key.index]
        generator = generator_for(self.seed, key.epoch, key.index)
        size = (self.store.size, self.store.size)
        view = self.view.at(key.epoch) if hasattr(self.view, "at") else self.view
        item = {"image": image, "source": record.image, "index": key.index, "view": view.sample(generator, size)}
        if self.store.corpus.findings:
            item["labels"] = _labels(record, self.store.corpus)
        return item


class StoreImages(Dataset):
    """Whole images of a store with everything that is known about them, for probes.

    Args:
        store: whole or a subset.
        structures: masks to load; None takes all of the corpus.
        foreground: see `read_mask`.
        ignore: see `read_mask`.
    """

    def __init__(
        self,
        store: Store,
        structures: Sequence[str] | None = None,
        foreground: int | Collection[int] | None = None,
        ignore: int | Collection[int] | None = None,
    ):
        self.store, self.foreground, self.ignore = store, foreground, ignore
        self.structures = tuple(store.corpus.structures if structures is None else structures)

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, key: SampleKey | int) -> dict[str, Any]:
        """Return image (float in [0, 1], (C, S, S)), source, patient_id, index, and what the corpus has of these.

        labels (F,), nan where unknown; landmarks (L, 2) as (row, col) fractions, nan where absent; mask
        (K, S, S) uint8 with 1 structure, 255 ignore or absent.
        """
        index = _as_key(key).index
        record, corpus = self.store.records[index], self.store.corpus
        item: dict[str, Any] = {"image": self.store.batch([index])[0].float() / 255}
        item |= {"source": record.image, "patient_id": record.patient_id, "index": index}
        if corpus.findings:
            item["labels"] = _labels(record, corpus)
        if corpus.landmarks:
            absent = (float("nan"), float("nan"))
            item["landmarks"] = torch.tensor([record.landmarks.get(name, absent) for name in corpus.landmarks])
        if self.structures:
            item["mask"] = torch.from_numpy(np.stack([self._mask(index, name) for name in self.structures]))
        return item

    def _mask(self, index: int, structure: str) -> np.ndarray:
        size, record = self.store.size, self.store.records[index]
        if structure not in record.masks:
            return np.full((size, size), IGNORE, dtype=np.uint8)
        mask = read_mask(record.masks[structure], self.foreground, self.ignore)
        check_same_size(tuple(self.store.sizes[index]), mask.shape, record.masks[structure], structure)
        # Nearest neighbour at pixel centres; labels have no values in between.
        rows, columns = (((np.arange(size) + 0.5) * extent / size).astype(int) for extent in mask.shape)
        return mask[np.ix_(rows, columns)]


class SeededDataset(CacheDataset):
    """MONAI's cached dataset whose random transforms are reseeded for every item.

    MONAI's own random state moves with the order in which a worker happens to see its items; here it comes
    from (seed, epoch, index), so 0 and 8 workers and a resumed run make the same samples.

    Args:
        data: items such as `as_items` gives.
        transform: dictionary transforms; those before the first random one are cached.
        seed: the run's seed.
        cache_rate: share of the items to keep in memory, in [0, 1].
        num_workers: threads that fill the cache.
        progress: show a progress bar while it is filled.
    """

    def __init__(
        self,
        data: Sequence[dict[str, Any]],
        transform: Sequence[Callable] | Callable,
        seed: int,
        cache_rate: float = 0.0,
        num_workers: int | None = 2,
        progress: bool = False,
    ):
        self.seed = seed
        super().__init__(data, transform, cache_rate=cache_rate, num_workers=num_workers, progress=progress)

    def __getitem__(self, key: SampleKey | int | slice | Sequence[int]) -> Any:
        """Return the transformed item; a plain index counts as epoch 0."""
        if isinstance(key, (slice, list, range)):
            return super().__getitem__(key)
        sample = _as_key(key)  # type: ignore[arg-type]
        if hasattr(self.transform, "set_random_state"):
            self.transform.set_random_state(seed=seed_for(self.seed, sample.epoch, sample.index))
        return self._transform(sample.index)


def as_items(corpus: Corpus, tasks: Collection[str] = ("label",)) -> list[dict[str, Any]]:
    """Turn records into the dictionaries that MONAI's transforms take.

    Args:
        corpus: from a reader; records without what a task needs are left out.
        tasks: "label" (key "label", float32 array in the order of the findings, nan unknown) and "masks"
            (key "masks", structure -> file); none gives images alone.

    Returns:
        Dictionaries with "image" and "source" (both the file's path) and the keys of the tasks.

    Raises:
        DatasetError: no record has what a task needs.
        ValueError: unknown task.
    """
    unknown = set(tasks) - set(TASKS)
    if unknown:
        raise ValueError(f"unknown tasks {sorted(unknown)}; known are {', '.join(TASKS)}")
    items = []
    for record in corpus.records:
        item: dict[str, Any] = {"image": record.image, "source": record.image}
        if "label" in tasks:
            if record.labels is None:
                continue
            item["label"] = np.asarray(record.labels, dtype=np.float32)
        if "masks" in tasks:
            if not record.masks:
                continue
            item["masks"] = dict(record.masks)
        items.append(item)
    if not items:
        problem = f"none of {len(corpus)} images has {' and '.join(tasks)}"
        raise DatasetError(corpus.name, problem, "Give the reader labels_csv, classes or masks, or another data set")
    return items


def check_same_size(image: tuple[int, ...], mask: tuple[int, ...], path: str, structure: str) -> None:
    """Refuse a mask whose (H, W) is not its image's.

    Raises:
        UnreadableImage: the sizes differ.
    """
    if tuple(image) != tuple(mask):
        reason = f"the {structure} mask has {mask[0]} x {mask[1]} pixels and its image {image[0]} x {image[1]}"
        raise UnreadableImage(path, reason, f"Resample {Path(path).name} to its image's size, or leave it out")


def _as_key(key: SampleKey | int) -> SampleKey:
    return key if isinstance(key, SampleKey) else SampleKey(0, int(key))


def _labels(record: Record, corpus: Corpus) -> torch.Tensor:
    return torch.tensor(record.labels if record.labels is not None else [float("nan")] * len(corpus.findings))
