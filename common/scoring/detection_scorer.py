"""Numbers of detections for any choice of the images."""

from collections.abc import Sequence

import numpy as np

from .matched import Matched
from .ranking import RankingScorer
from .scorers import Rows, Values, mean_over_classes

RANKED = ("average_precision", "image_auc")
AT_THRESHOLD = ("precision", "recall", "f1")


class DetectionScorer:
    """The numbers of a report for any choice of its images, by finding and their means.

    Args:
        findings: names.
        matched: the detections of each.
        thresholds: of each, from which on `precision`, `recall` and `f1` take them; None leaves these out.
    """

    def __init__(self, findings: Sequence[str], matched: Sequence[Matched], thresholds: Sequence[float] | None = None):
        self._matched, self._thresholds = list(matched), thresholds
        self._auc = RankingScorer(
            findings,
            np.stack([found.image_scores() for found in matched], axis=1),
            np.stack([(found.boxes > 0).astype(np.float64) for found in matched], axis=1),
            metrics=["auc"],
        )
        metrics = [*RANKED, *(AT_THRESHOLD if thresholds else ())]
        self.names = tuple(name for metric in metrics for name in (metric, *(f"{metric}/{it}" for it in findings)))
        self._defined_MK = {name: np.isfinite(values_K) for name, values_K in self._by_finding(None).items()}

    def __call__(self, rows_R: Rows) -> Values:
        """Numbers of these images; an image that stands there twice counts twice."""
        weight_N = np.bincount(rows_R, minlength=len(self._matched[0].boxes)).astype(np.float64)
        numbers = {
            name: np.r_[mean_over_classes(values_K, self._defined_MK[name]), values_K]
            for name, values_K in self._by_finding(weight_N).items()
        }
        numbers["image_auc"] = self._auc(rows_R)
        return np.concatenate([numbers[name] for name in self.names if "/" not in name])

    def _by_finding(self, weight_N: Values | None) -> dict[str, Values]:
        """What the matched boxes tell of each finding, the AUC of images left out."""
        numbers = {"average_precision": np.array([found.average_precision(weight_N) for found in self._matched])}
        if self._thresholds:
            pairs = zip(self._matched, self._thresholds, strict=True)
            found_K = [found.at(threshold, weight_N) for found, threshold in pairs]
            numbers |= {name: np.array([found[name] for found in found_K]) for name in AT_THRESHOLD}
        return numbers
