"""Images as files: items from records, and MONAI's cached dataset with randomness that does not depend on workers."""

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from monai.data import CacheDataset

from ..files.errors import DatasetError
from ..records import Corpus
from ..sampling import SampleKey, as_key, seed_for

logger = logging.getLogger(__name__)
TASKS = ("label", "masks")
MANY = 100  # images that take a person's patience to decode


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
        kept = round(len(data) * cache_rate)
        if kept > MANY:
            logger.info("Decoding %s images once, into memory.", f"{kept:,}")
        super().__init__(data, transform, cache_rate=cache_rate, num_workers=num_workers, progress=progress)

    def __getitem__(self, key: SampleKey | int | slice | Sequence[int]) -> Any:
        """Return the transformed item; a plain index counts as epoch 0."""
        if isinstance(key, (slice, list, range)):
            return super().__getitem__(key)
        sample = as_key(key)  # type: ignore[arg-type]
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

    Example:
        >>> from common.records import Record
        >>> record = Record("/x/one.png", "patient 1", "train", "mine", labels=(1.0,))
        >>> as_items(Corpus("mine", (record,), findings=("Effusion",)))
        [{'image': '/x/one.png', 'source': '/x/one.png', 'label': array([1.], dtype=float32)}]
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
