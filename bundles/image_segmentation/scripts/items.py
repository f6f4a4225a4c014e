"""From a corpus to what the transforms take: images with mask files, and nothing else."""

from collections.abc import Sequence
from typing import Any

from common.files import DatasetError
from common.images import as_items
from common.records import Corpus


def mask_items(corpus: Corpus, structures: Sequence[str]) -> list[dict[str, Any]]:
    """Items with `image` (path), `label` (structure -> mask file) and `source`; images without any are left out.

    Raises:
        DatasetError: a structure that no image of the corpus has.
    """
    if missing := [name for name in structures if name not in corpus.structures]:
        raise DatasetError(
            corpus.name,
            f"there are masks of {', '.join(corpus.structures) or 'nothing'}, not of {', '.join(missing)}",
            "Correct `structures`, or `dataset_options` where it says which folder holds which structure's masks",
        )
    items = []
    for item in as_items(corpus, ["masks"]):
        masks = item.pop("masks")
        if any(name in masks for name in structures):
            items.append({**item, "label": masks})
    if not items:
        raise DatasetError(
            corpus.name,
            f"none of its {len(corpus)} images here has a mask of {', '.join(structures)}",
            "Correct `structures`, or give this split images with masks",
        )
    return items
