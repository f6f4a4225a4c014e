"""Datasets over a store: images with the parameters of their views, and whole images for probes."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from ..records import IGNORE, Corpus, Record
from ..sampling import SampleKey, SamplesParams, as_key, generator_for
from .decode import read_mask
from .masks import check_shape, resample_nearest
from .store.store import Store


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
        wanted = [as_key(key) for key in keys]
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
        index = as_key(key).index
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
        check_shape(tuple(self.store.sizes[index]), mask.shape, record.masks[structure], structure)
        return resample_nearest(mask, (size, size))


def _labels(record: Record, corpus: Corpus) -> torch.Tensor:
    return torch.tensor(record.labels if record.labels is not None else [float("nan")] * len(corpus.findings))
