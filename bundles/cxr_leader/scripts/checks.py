"""What LeADER's command can know before it trains."""

from collections.abc import Mapping, Sequence
from typing import Any

from common.images import StoreRegions
from common.readers import read
from common.records import Corpus
from common.teachers import CachedExpert, Expert


def read_corpora(datasets: Sequence[Mapping[str, Any]]) -> list[Corpus]:
    """Read the folder of every data set, so that a missing one is told before a store is built.

    Args:
        datasets: as of `open_sources`.
    """
    return [read(entry["dataset"], entry["dataset_dir"], **entry.get("options", {})) for entry in datasets]


def check_tables(experts: Sequence[Expert | None], dataset: StoreRegions) -> None:
    """See to it that every table of embeddings among the experts knows every image and patch.

    Args:
        experts: None where a weight is 0; those that are networks know whatever they are shown.
        dataset: what is trained on.
    """
    for expert in experts:
        if isinstance(expert, CachedExpert):
            expert.check(dataset.keys())
