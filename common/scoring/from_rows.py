"""From the rows that a report keeps of each image to its numbers, in an evaluation and long after it.

Shapes: N images, K classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .grading import GradingScorer
from .ranking import RankingScorer
from .scorers import JoinedScorer, MeanScorer, Scorer, Values

Row = dict[str, Any]
"""Of a table: what a report says of an image, a class or a group, by column."""
Rows = Sequence[Mapping[str, Any]]
UNITS = ("px", "image_px", "mm")
"""Of distances: pixels of the network's input, pixels of the image's file, millimetres on the patient."""


def columns(rows: Rows, names: Sequence[str]) -> Values:
    """Numbers (N, K) of these names."""
    return np.array([[row[name] for name in names] for row in rows], dtype=np.float64).reshape(len(rows), len(names))


def labels(rows: Rows, classes: Sequence[str]) -> Values:
    """Of a classification: 0, 1, or nan where unknown."""
    return columns(rows, [f"{name} (label)" for name in classes])


def of_classification(
    rows: Rows,
    classes: Sequence[str],
    mean_of: Sequence[str] | None = None,
    exclusive: bool = False,
    ordered: bool = False,
) -> Scorer:
    """AUC and average precision; accuracy of classes that exclude each other; and quadratic kappa of grades."""
    scores_NK, labels_NK = columns(rows, classes), labels(rows, classes)
    ranking = RankingScorer(classes, scores_NK, labels_NK, mean_of)
    return JoinedScorer(ranking, GradingScorer(scores_NK, labels_NK, ordered)) if exclusive else ranking


def of_segmentation(rows: Rows, classes: Sequence[str]) -> Scorer:
    """Means over images of Dice, and of the IoU that follows from it."""
    dice_NK = columns(rows, classes)
    return JoinedScorer(MeanScorer("dice", classes, dice_NK), MeanScorer("iou", classes, dice_NK / (2 - dice_NK)))


def of_landmarks(rows: Rows, classes: Sequence[str]) -> Scorer:
    """Of landmarks, in each unit."""
    return JoinedScorer(
        *(
            MeanScorer(f"error_{unit}", classes, columns(rows, [f"{name}/error_{unit}" for name in classes]))
            for unit in UNITS
        )
    )
