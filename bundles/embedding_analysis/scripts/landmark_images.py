"""The images that every analysis looks at, with what is known of them."""

from collections.abc import Collection
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from common.files import DatasetError
from common.images import Store


class LandmarkImages:
    """Square images of a store with landmarks and labels, in the store's order.

    Args:
        store: whole or a subset.
        landmarks: names of the landmarks looked at; None takes all of the data set.

    Attributes:
        points_NL2: landmarks as (row, col) fractions of the image's sides, nan where an image lacks one.

    Raises:
        DatasetError: a landmark that the data set does not have.
    """

    def __init__(self, store: Store, landmarks: Collection[str] | None = None):
        corpus = store.corpus
        self.store = store
        self.names = tuple(corpus.landmarks if landmarks is None else landmarks)
        if unknown := [name for name in self.names if name not in corpus.landmarks]:
            has = ", ".join(corpus.landmarks) or "none"
            raise DatasetError(
                corpus.name, f"has no landmark {', '.join(unknown)}; it has {has}", "Correct `landmarks`"
            )
        absent = (float("nan"), float("nan"))
        points = [[record.landmarks.get(name, absent) for name in self.names] for record in store.records]
        self.points_NL2 = torch.tensor(points, dtype=torch.float64).reshape(len(store), len(self.names), 2)
        self.patients = [record.patient_id for record in store.records]

    def __len__(self) -> int:
        return len(self.store)

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return self.store.size

    @property
    def present(self) -> Tensor:
        """Whether an image has a landmark, (N, L)."""
        return self.points_NL2.isfinite().all(-1)

    def require_landmarks(self) -> None:
        """Raise DatasetError where there are none."""
        if not self.present.any():
            name = self.store.corpus.name
            raise DatasetError(
                name, "has no landmarks", "Leave this analysis out (`_disabled_`) or take another data set"
            )

    def pixels(self, indices: Collection[int] | Tensor) -> Tensor:
        """uint8 (B, C, S, S) of some images."""
        return self.store.batch(np.asarray(indices))

    @cached_property
    def labels(self) -> Tensor | None:
        """Findings (N, K), nan where unknown; None where the data set has none."""
        findings, records = self.store.corpus.findings, self.store.records
        if not findings:
            return None
        unknown = (float("nan"),) * len(findings)
        return torch.tensor([unknown if record.labels is None else record.labels for record in records])

    def pairs_of_patients(self, limit: int) -> list[tuple[int, int]]:
        """Images that follow each other and show two patients: at most so many pairs, spread over the data set."""
        pairs = [pair for pair in pairwise(range(len(self))) if self.patients[pair[0]] != self.patients[pair[1]]]
        return _spread(pairs, limit)

    def pairs_of_images(self, limit: int) -> list[tuple[int, int]]:
        """Images that follow each other among those of one study, or of one patient where no study is known."""
        images: dict[str, list[int]] = {}
        for index, record in enumerate(self.store.records):
            images.setdefault(record.study_id or record.patient_id, []).append(index)
        return _spread([pair for indices in images.values() for pair in pairwise(indices)], limit)


def _spread(pairs: list[tuple[int, int]], limit: int) -> list[tuple[int, int]]:
    chosen = np.unique(np.linspace(0, len(pairs) - 1, min(limit, len(pairs))).round().astype(int))
    return [pairs[index] for index in chosen]
