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
        >>> scorer(np.array([1])).tolist()  # no heart: a mean of the lung alone is another number
        [nan, 0.7, nan]
    """

    def __init__(self, metric: str, classes: Sequence[str], values_NK: Values):
        self.names = (metric, *(f"{metric}/{name}" for name in classes))
        self._values_NK = values_NK
        self._defined_K = np.asarray(np.isfinite(values_NK).any(axis=0))

    def __call__(self, rows_R: Rows) -> Values:
        """Means of these images."""
        means_K = mean_of_known(self._values_NK[rows_R])
        return np.r_[mean_over_classes(means_K, self._defined_K), means_K]


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


def mean_over_classes(values_K: Values, defined_K: NDArray[np.bool_]) -> float:
    """Mean over the classes that all images together define; nan where these images leave one of them undefined.

    The mean of the others is another quantity: a draw or a group that lacks the hardest class would look better.

    Args:
        values_K: of these images, nan where undefined.
        defined_K: whether all images define it.
    """
    return float(values_K[defined_K].mean()) if defined_K.any() else float("nan")


def mean_of_known(values_RK: Values) -> Values:
    """Mean over the first axis of what is a number; nan where nothing is."""
    counts = np.isfinite(values_RK).sum(0)
    return np.divide(np.nansum(values_RK, 0), counts, out=np.full(values_RK.shape[1:], np.nan), where=counts > 0)
