"""From a corpus to what the transforms take: images with the places of the chosen landmarks."""

import logging
from collections.abc import Sequence
from typing import Any

import torch

from common.files import DatasetError
from common.files.notices import first_few
from common.images import as_items
from common.records import Corpus, Record

logger = logging.getLogger(__name__)
ABSENT = (float("nan"), float("nan"))


def landmark_items(
    corpus: Corpus,
    landmarks: Sequence[str],
    fraction: float | None = None,
    limit: int | None = None,
    draw: int = 99,
) -> list[dict[str, Any]]:
    """Items with `image` (path), `label` (L, 2) and `source`; images without any of the landmarks are left out.

    Args:
        corpus: a split of what a reader returned.
        landmarks: the ones to find, in the order of the network's outputs; `label` has their (row, col) as fractions of
            height and width, nan where the image lacks one.
        fraction: share of the images with landmarks, as `Corpus.subset` draws it.
        limit: at most so many of them.
        draw: seed of which ones.

    Raises:
        DatasetError: a landmark that no image of the corpus has, or a split without any.
    """
    if missing := [name for name in landmarks if name not in corpus.landmarks]:
        raise DatasetError(
            corpus.name,
            f"its landmarks are {', '.join(corpus.landmarks) or 'none'}; {', '.join(missing)} is not among them",
            "Correct `landmarks`, or `dataset_options` where it says which file holds them",
        )
    unlearnt = [name for name in corpus.landmarks if name not in landmarks]
    if unlearnt and corpus.records[0].split == "train":
        logger.info("%s are not learned: `landmarks` does not name them.", first_few(unlearnt, 20))

    def marked(record: Record) -> bool:
        return any(name in record.landmarks for name in landmarks)

    if not any(map(marked, corpus.records)):
        raise DatasetError(
            corpus.name,
            f"none of its {len(corpus)} images here has one of {', '.join(landmarks)}",
            "Correct `landmarks`, or give this split images with them",
        )
    drawn = corpus.subset(fraction=fraction, limit=limit, seed=draw, usable=marked)
    points = [[record.landmarks.get(name, ABSENT) for name in landmarks] for record in drawn.records]
    return [{**item, "label": torch.tensor(own)} for item, own in zip(as_items(drawn, []), points, strict=True)]
