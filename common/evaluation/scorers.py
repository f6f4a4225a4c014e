"""The numbers of a report for any choice of its images, so that they can be resampled and told by group.

Shapes: N images, K classes or structures, R chosen rows, some of them several times.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Rows = NDArray[np.intp]


class Scorer(Protocol):
    """What a report says of some of its images."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the numbers, as the report calls them."""

    def __call__(self, rows_R: Rows) -> Values:
        """The numbers of these images; nan where undefined."""


class MeanScorer:
    """Means over images, and the mean of these means over classes.

    Args:
        metric: name of the mean over classes; that of a class is `metric/class`.
        classes: names of the K columns.
        values_NK: a number for each image and class; nan does not count.

    Example:
        >>> scorer = MeanScorer("dice", ["lung", "heart"], np.array([[0.5, 1.0], [0.7, np.nan]]))
        >>> dict(zip(scorer.names, scorer(np.array([0, 1])).round(3).tolist()))
        {'dice': 0.8, 'dice/lung': 0.6, 'dice/heart': 1.0}
    """

    def __init__(self, metric: str, classes: Sequence[str], values_NK: Values):
        self.names = (metric, *(f"{metric}/{name}" for name in classes))
        self._values_NK = values_NK

    def __call__(self, rows_R: Rows) -> Values:
        """Means of these images."""
        return _with_mean(_mean(self._values_NK[rows_R]))


class JoinedScorer:
    """The numbers of several scorers of the same images.

    Args:
        scorers: one after the other.
    """

    def __init__(self, *scorers: Scorer):
        self.names = tuple(name for scorer in scorers for name in scorer.names)
        self._scorers = scorers

    def __call__(self, rows_R: Rows) -> Values:
        """All numbers of these images."""
        return np.concatenate([scorer(rows_R) for scorer in self._scorers])


class AucScorer:
    """Area under the ROC curve per class, and its mean over the classes that have one.

    Each class is sorted once; a choice of images is then a weight for each of them, which takes a single pass.

    Args:
        classes: names of the K columns.
        scores_NK: higher means more likely positive.
        labels_NK: 0, 1, or nan where unknown.
        mean_of: the classes that the mean is over; None takes all.

    Example:
        >>> scorer = AucScorer(["Mass"], np.array([[0.1], [0.4], [0.3]]), np.array([[0.0], [1.0], [1.0]]))
        >>> scorer(np.array([0, 1, 2])).tolist()
        [1.0, 1.0]
    """

    def __init__(
        self, classes: Sequence[str], scores_NK: Values, labels_NK: Values, mean_of: Sequence[str] | None = None
    ):
        self.names = ("auc", *(f"auc/{name}" for name in classes))
        self._tested_K = np.array([mean_of is None or name in mean_of for name in classes])
        self._images = len(scores_NK)
        self._sorted = [
            _sorted(scores_N, labels_N) for scores_N, labels_N in zip(scores_NK.T, labels_NK.T, strict=True)
        ]

    def __call__(self, rows_R: Rows) -> Values:
        """Areas of these images."""
        weight_N = np.bincount(rows_R, minlength=self._images).astype(np.float64)
        areas_K = np.array([_area(weight_N, *parts) for parts in self._sorted])
        return np.r_[_mean(areas_K[self._tested_K, None]), areas_K]


def _sorted(scores_N: Values, labels_N: Values) -> tuple[Rows, Values, Rows]:
    """Images with a known label in the order of their scores, their labels, and where another score begins."""
    known = np.flatnonzero(~np.isnan(labels_N))
    order = known[np.argsort(scores_N[known], kind="stable")]
    begins = np.flatnonzero(np.r_[True, np.diff(scores_N[order]) > 0]) if len(order) else np.zeros(0, np.intp)
    return order, labels_N[order], begins


def _area(weight_N: Values, order: Rows, labels: Values, begins: Rows) -> float:
    """Share of pairs in which the positive has the higher score; a pair of equal scores counts half."""
    if not len(order):
        return float("nan")
    weight = weight_N[order]
    positive = np.add.reduceat(weight * (labels == 1), begins)
    negative = np.add.reduceat(weight * (labels == 0), begins)
    pairs = positive.sum() * negative.sum()
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2)).sum() / pairs) if pairs else float("nan")


def _mean(values_RK: Values) -> Values:
    """Mean over the first axis of what is a number; nan where nothing is."""
    counts = np.isfinite(values_RK).sum(0)
    return np.divide(np.nansum(values_RK, 0), counts, out=np.full(values_RK.shape[1:], np.nan), where=counts > 0)


def _with_mean(values_K: Values) -> Values:
    return np.r_[_mean(values_K[:, None]), values_K]
