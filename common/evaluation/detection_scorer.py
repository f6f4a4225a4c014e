"""Numbers of detections for any choice of the images."""

from collections.abc import Sequence

import numpy as np

from .box_matching import Matched
from .report import defined_mean
from .scorers import AucScorer, Rows, Values

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
        self._auc = AucScorer(
            findings,
            np.stack([found.image_scores() for found in matched], axis=1),
            np.stack([(found.boxes > 0).astype(np.float64) for found in matched], axis=1),
        )
        metrics = [*RANKED, *(AT_THRESHOLD if thresholds else ())]
        self.names = tuple(name for metric in metrics for name in (metric, *(f"{metric}/{it}" for it in findings)))

    def __call__(self, rows_R: Rows) -> Values:
        """Numbers of these images; an image that stands there twice counts twice."""
        weight_N = np.bincount(rows_R, minlength=len(self._matched[0].boxes)).astype(np.float64)
        precision_K = [found.average_precision(weight_N) for found in self._matched]
        numbers: list[Sequence[float] | Values] = [[defined_mean(precision_K), *precision_K], self._auc(rows_R)]
        if self._thresholds:
            pairs = zip(self._matched, self._thresholds, strict=True)
            found_K = [found.at(threshold, weight_N) for found, threshold in pairs]
            for name in AT_THRESHOLD:
                values_K = [found[name] for found in found_K]
                numbers.append([defined_mean(values_K), *values_K])
        return np.concatenate(numbers)
