"""From the rows that a report keeps of each image to its numbers, in an evaluation and long after it.

Shapes: N images, K classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .scorers import AucScorer, JoinedScorer, MeanScorer, Scorer, Values

Rows = Sequence[Mapping[str, Any]]
UNITS = ("px", "image_px", "mm")
"""Of distances: pixels of the network's input, pixels of the image's file, millimetres on the patient."""


def columns(rows: Rows, names: Sequence[str]) -> Values:
    """Numbers (N, K) of these names."""
    return np.array([[row[name] for name in names] for row in rows], dtype=np.float64).reshape(len(rows), len(names))


def labels(rows: Rows, classes: Sequence[str]) -> Values:
    """Of a classification: 0, 1, or nan where unknown."""
    return columns(rows, [f"{name} (label)" for name in classes])


def areas(rows: Rows, classes: Sequence[str], mean_of: Sequence[str] | None = None) -> Scorer:
    """Of a classification: areas under the ROC curves."""
    return AucScorer(classes, columns(rows, classes), labels(rows, classes), mean_of)


def mean_dice(rows: Rows, classes: Sequence[str]) -> Scorer:
    """Of a segmentation."""
    return MeanScorer("dice", classes, columns(rows, classes))


def mean_errors(rows: Rows, classes: Sequence[str]) -> Scorer:
    """Of landmarks, in each unit."""
    return JoinedScorer(
        *(
            MeanScorer(f"error_{unit}", classes, columns(rows, [f"{name}/error_{unit}" for name in classes]))
            for unit in UNITS
        )
    )
