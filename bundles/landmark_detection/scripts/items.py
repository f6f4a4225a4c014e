"""From a corpus to what the transforms take: images with the places of the chosen landmarks."""

from collections.abc import Sequence
from typing import Any

import torch

from common.files import DatasetError
from common.images import as_items
from common.records import Corpus

ABSENT = (float("nan"), float("nan"))


def landmark_items(corpus: Corpus, landmarks: Sequence[str]) -> list[dict[str, Any]]:
    """Items with `image` (path), `label` (L, 2) and `source`; images without any of the landmarks are left out.

    Args:
        corpus: a split of what a reader returned.
        landmarks: the ones to find, in the order of the network's outputs; `label` has their (row, col) as fractions of
            height and width, nan where the image lacks one.

    Raises:
        DatasetError: a landmark that no image of the corpus has, or a split without any.
    """
    if missing := [name for name in landmarks if name not in corpus.landmarks]:
        raise DatasetError(
            corpus.name,
            f"its landmarks are {', '.join(corpus.landmarks) or 'none'}; {', '.join(missing)} is not among them",
            "Correct `landmarks`, or `dataset_options` where it says which file holds them",
        )
    items = []
    for item, record in zip(as_items(corpus, []), corpus.records, strict=True):
        if any(name in record.landmarks for name in landmarks):
            points = [record.landmarks.get(name, ABSENT) for name in landmarks]
            items.append({**item, "label": torch.tensor(points)})
    if not items:
        raise DatasetError(
            corpus.name,
            f"none of its {len(corpus)} images here has one of {', '.join(landmarks)}",
            "Correct `landmarks`, or give this split images with them",
        )
    return items
