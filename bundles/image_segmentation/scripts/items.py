"""From a corpus to what the transforms take: images with mask files, and nothing else."""

from collections.abc import Sequence
from typing import Any

from common.files import DatasetError
from common.images import as_items
from common.records import Corpus, Record


def mask_items(
    corpus: Corpus,
    structures: Sequence[str],
    fraction: float | None = None,
    limit: int | None = None,
    draw: int = 99,
) -> list[dict[str, Any]]:
    """Items with `image` (path), `label` (structure -> mask file) and `source`; images without any are left out.

    Args:
        corpus: a split of what a reader returned.
        structures: of which an image has one mask at least.
        fraction: share of the images with masks, as `Corpus.subset` draws it.
        limit: at most so many of them.
        draw: seed of which ones.

    Raises:
        DatasetError: a structure that no image of the corpus has.
    """
    if missing := [name for name in structures if name not in corpus.structures]:
        raise DatasetError(
            corpus.name,
            f"there are masks of {', '.join(corpus.structures) or 'nothing'}, not of {', '.join(missing)}",
            "Correct `structures`, or `dataset_options` where it says which folder holds which structure's masks",
        )

    def drawn_on(record: Record) -> bool:
        return any(name in record.masks for name in structures)

    if not any(map(drawn_on, corpus.records)):
        raise DatasetError(
            corpus.name,
            f"none of its {len(corpus)} images here has a mask of {', '.join(structures)}",
            "Correct `structures`, or give this split images with masks",
        )
    drawn = corpus.subset(fraction=fraction, limit=limit, seed=draw, usable=drawn_on)
    return [
        {**item, "label": dict(record.masks)} for item, record in zip(as_items(drawn, []), drawn.records, strict=True)
    ]
