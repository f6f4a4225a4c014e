"""What the rows of `evaluation_images.csv` say, by the task that `evaluation.json` names.

Shapes: N images, K classes.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .detection_scorer import DetectionScorer
from .from_rows import Rows, columns, labels, of_classification, of_landmarks, of_segmentation
from .matched import Matched
from .scorers import Scorer, Values


def box_counts(rows: Rows, classes: Sequence[str]) -> Values:
    """Of a detection: how many boxes of each finding there are."""
    return columns(rows, [f"{name}/boxes" for name in classes])


def average_precisions(rows: Rows, classes: Sequence[str]) -> Scorer:
    """Of a detection, and the areas under the ROC curves of its images."""
    found = [json.loads(row["detections"]) for row in rows]
    counts_NK = box_counts(rows, classes).astype(np.int64)
    return DetectionScorer(
        classes, [_matched(found, name, counts_N) for name, counts_N in zip(classes, counts_NK.T, strict=True)]
    )


def _matched(found: Sequence[Sequence[Mapping[str, Any]]], name: str, boxes_N: np.ndarray) -> Matched:
    of_name = [
        (n, it["score"], it["hit"]) for n, detections in enumerate(found) for it in detections if it["finding"] == name
    ]
    of_name.sort(key=lambda it: -it[1])
    images, scores, hits = zip(*of_name, strict=True) if of_name else ((), (), ())
    return Matched(np.array(images, np.int64), np.array(scores, np.float64), np.array(hits, np.bool_), boxes_N)


@dataclass(frozen=True)
class Task:
    """How the rows of a task are read.

    Args:
        scorer: their numbers, from rows and classes.
        truth: what they say of the labels (N, K), which is one for all networks; nan where a class is not labelled.
        lower: whether a lower number is better.
    """

    scorer: Callable[..., Scorer]
    truth: Callable[[Rows, Sequence[str]], Values]
    lower: bool = False


TASKS = {
    "classification": Task(of_classification, labels),
    "segmentation": Task(of_segmentation, lambda rows, classes: np.where(np.isnan(columns(rows, classes)), np.nan, 0)),
    "landmarks": Task(
        of_landmarks,
        lambda rows, classes: np.where(np.isnan(columns(rows, [f"{it}/error_px" for it in classes])), np.nan, 0),
        lower=True,
    ),
    "detection": Task(average_precisions, box_counts),
}
"""By the name that `evaluation.json` gives."""
