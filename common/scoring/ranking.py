"""How well scores rank images, for any choice of them: areas under ROC and precision-recall curves.

Shapes: N images, K classes, R chosen rows, S different scores of a class.
"""

from collections.abc import Sequence

import numpy as np

from .scorers import Rows, Values, mean_over_classes


def area_under_roc(positive_S: Values, negative_S: Values) -> float:
    """Share of pairs in which the positive has the higher score; a pair of equal scores counts half."""
    below_S = np.cumsum(negative_S) - negative_S
    return float((positive_S * (below_S + negative_S / 2)).sum() / (positive_S.sum() * negative_S.sum()))


def average_precision(positive_S: Values, negative_S: Values) -> float:
    """Mean over the positives of the precision among what scores at least as high, as scikit-learn has it."""
    hits_S = np.cumsum(positive_S[::-1])
    called_S = hits_S + np.cumsum(negative_S[::-1])
    precision_S = hits_S / np.maximum(called_S, 1e-12)  # nothing is called where no image of the highest scores is
    return float((positive_S[::-1] * precision_S).sum() / hits_S[-1])


METRICS = {"auc": area_under_roc, "average_precision": average_precision}
"""From how many positives and negatives have each score, the lowest first."""


class RankingScorer:
    """AUC and average precision per class, each with its mean over the classes that have one.

    Each class is sorted once; a choice of images is then a weight for each of them, which takes a single pass.

    Args:
        classes: names of the K columns.
        scores_NK: higher means more likely positive.
        labels_NK: 0, 1, or nan where unknown.
        mean_of: the classes that the means are over; None takes all.
        metrics: of `METRICS`.

    Example:
        >>> scorer = RankingScorer(["Mass"], np.array([[0.1], [0.4], [0.3]]), np.array([[0.0], [1.0], [1.0]]))
        >>> dict(zip(scorer.names, scorer(np.array([0, 1, 2])).tolist()))
        {'auc': 1.0, 'auc/Mass': 1.0, 'average_precision': 1.0, 'average_precision/Mass': 1.0}
    """

    def __init__(
        self,
        classes: Sequence[str],
        scores_NK: Values,
        labels_NK: Values,
        mean_of: Sequence[str] | None = None,
        metrics: Sequence[str] = tuple(METRICS),
    ):
        self.names = tuple(name for metric in metrics for name in (metric, *(f"{metric}/{it}" for it in classes)))
        self._metrics = [METRICS[metric] for metric in metrics]
        self._images = len(scores_NK)
        self._sorted = [
            _sorted(scores_N, labels_N) for scores_N, labels_N in zip(scores_NK.T, labels_NK.T, strict=True)
        ]
        defined_K = [bool(0 < (labels == 1).sum() < len(labels)) for _, labels, _ in self._sorted]
        tested_K = [mean_of is None or name in mean_of for name in classes]
        self._counted_K = np.array(defined_K) & np.array(tested_K)

    def __call__(self, rows_R: Rows) -> Values:
        """Numbers of these images; of a class of which they are all positive or all negative, nan."""
        weight_N = np.bincount(rows_R, minlength=self._images).astype(np.float64)
        values_KM = np.array([self._of_class(weight_N, *parts) for parts in self._sorted])
        return np.concatenate([np.r_[mean_over_classes(it, self._counted_K), it] for it in values_KM.T])

    def _of_class(self, weight_N: Values, order: Rows, labels: Values, begins: Rows) -> list[float]:
        weight = weight_N[order]
        positive_S, negative_S = (
            np.add.reduceat(weight * (labels == value), begins) if len(order) else np.zeros(0) for value in (1, 0)
        )
        if not positive_S.sum() * negative_S.sum():
            return [float("nan")] * len(self._metrics)
        return [metric(positive_S, negative_S) for metric in self._metrics]


def _sorted(scores_N: Values, labels_N: Values) -> tuple[Rows, Values, Rows]:
    """Images with a known label in the order of their scores, their labels, and where another score begins."""
    known = np.flatnonzero(np.isin(labels_N, (0, 1)))
    order = known[np.argsort(scores_N[known], kind="stable")]
    begins = np.flatnonzero(np.r_[True, np.diff(scores_N[order]) > 0]) if len(order) else np.zeros(0, np.intp)
    return order, labels_N[order], begins
