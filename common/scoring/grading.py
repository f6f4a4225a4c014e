"""How often one class of each image is called right, for any choice of the images.

Shapes: N images, K classes, R chosen rows.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from .scorers import Rows, Values


class GradingScorer:
    """Accuracy of the highest probability and, of grades, Cohen's kappa with squared distances as weights.

    Args:
        scores_NK: of which the highest is called.
        labels_NK: 1 for the class that an image has, 0 for the others; a row with nan does not count.
        ordered: the classes are grades, in this order.

    Example:
        >>> scorer = GradingScorer(np.eye(3)[[0, 1, 2]], np.eye(3)[[0, 1, 1]], ordered=True)
        >>> dict(zip(scorer.names, scorer(np.array([0, 1])).tolist()))
        {'accuracy': 1.0, 'quadratic_kappa': 1.0}
    """

    def __init__(self, scores_NK: Values, labels_NK: Values, ordered: bool):
        self.names = ("accuracy", "quadratic_kappa") if ordered else ("accuracy",)
        self._grades = scores_NK.shape[1]
        self._known_N = np.asarray(np.isfinite(labels_NK).all(axis=1))
        self._true_N, self._called_N = labels_NK.argmax(1), scores_NK.argmax(1)

    def __call__(self, rows_R: Rows) -> Values:
        """Numbers of these images; nan where no label is known."""
        rows_R = rows_R[self._known_N[rows_R]]
        cells = self._true_N[rows_R] * self._grades + self._called_N[rows_R]
        counts_KK = np.bincount(cells, minlength=self._grades**2).reshape(self._grades, self._grades)
        accuracy = counts_KK.trace() / counts_KK.sum() if len(rows_R) else np.nan
        return np.array([accuracy, quadratic_kappa(counts_KK)][: len(self.names)])


def quadratic_kappa(counts_KK: NDArray[np.int_]) -> float:
    """Agreement of two gradings beyond chance, from how many images have each pair; nan where both give one grade."""
    if np.count_nonzero(counts_KK.sum(0) + counts_KK.sum(1)) < 2:
        return float("nan")
    first, second = np.indices(counts_KK.shape).reshape(2, -1)
    return float(cohen_kappa_score(first, second, weights="quadratic", sample_weight=counts_KK.ravel()))
