"""The numbers that follow from which detections hit a box.

Shapes: D detections of a finding in all images, N images, R levels of recall.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scorers import Values

RECALLS_R = np.linspace(0, 1, 101)  # COCO's


@dataclass(frozen=True)
class Matched:
    """The detections of one finding, the most certain first.

    Args:
        images: (D,) number of the image that each is of.
        scores: (D,) in [0, 1], falling.
        hits: (D,) whether it is the first to overlap a box of its finding enough.
        boxes: (N,) how many there are to find in each image.
    """

    images: NDArray[np.int64]
    scores: Values
    hits: NDArray[np.bool_]
    boxes: NDArray[np.int64]

    def average_precision(self, weight_N: Values | None = None) -> float:
        """COCO's: precision at 101 levels of recall, each the highest at that recall or above; nan without a box.

        MONAI's `COCOMetric` gives the same. This one takes images that count several times, as in a bootstrap, without
        sorting anew.

        Args:
            weight_N: how often each image counts; None is once.
        """
        hits_D, misses_D, total = self._counts(weight_N)
        if total == 0:
            return float("nan")
        precision_D = hits_D / np.maximum(hits_D + misses_D, 1e-12)
        highest_D = np.maximum.accumulate(precision_D[::-1])[::-1]
        place_R = np.searchsorted(hits_D / total, RECALLS_R, side="left")
        return float(np.append(highest_D, 0.0)[place_R].mean())

    def at(self, threshold: float, weight_N: Values | None = None) -> dict[str, float]:
        """Precision, recall and F1 of the detections whose score is at least the threshold; nan where undefined."""
        hits_D, misses_D, total = self._counts(weight_N)
        kept = int((self.scores >= threshold).sum())
        if np.isnan(threshold):
            return dict.fromkeys(("precision", "recall", "f1"), float("nan"))
        hits, misses = (counts[kept - 1] if kept else 0.0 for counts in (hits_D, misses_D))
        return {
            "precision": _ratio(hits, hits + misses),
            "recall": _ratio(hits, total),
            "f1": _ratio(2 * hits, hits + misses + total) if total else float("nan"),
        }

    def best_threshold(self) -> float:
        """The score from which on F1 is highest, the largest of equally good ones; nan where nothing is hit."""
        hits_D, misses_D, total = self._counts(None)
        if not self.hits.any():
            return float("nan")
        # of equal scores all are taken or none
        last_D = np.append(self.scores[1:] < self.scores[:-1], True)
        f1_D = np.where(last_D, 2 * hits_D / (hits_D + misses_D + total), -1)
        return float(self.scores[f1_D.argmax()])

    def image_scores(self) -> Values:
        """The highest score in each image (N,), 0 where nothing is detected."""
        scores_N = np.zeros(len(self.boxes))
        np.maximum.at(scores_N, self.images, self.scores)
        return scores_N

    def _counts(self, weight_N: Values | None) -> tuple[Values, Values, float]:
        weight_N = np.ones(len(self.boxes)) if weight_N is None else weight_N
        weight_D = weight_N[self.images]
        return np.cumsum(weight_D * self.hits), np.cumsum(weight_D * ~self.hits), float(weight_N @ self.boxes)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
