import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from common.scoring.ranking import RankingScorer
from common.scoring.scorers import MeanScorer

GENERATOR = np.random.default_rng(0)


def test_numbers_of_chosen_images_are_sklearn_s_with_ties_and_repeats():
    scores = GENERATOR.integers(0, 5, (40, 2)) / 4.0
    labels = GENERATOR.integers(0, 2, (40, 2)).astype(float)
    labels[::7, 1] = np.nan
    scorer = RankingScorer(["a", "b"], scores, labels)
    assert scorer.names == (
        "auc",
        "auc/a",
        "auc/b",
        "average_precision",
        *("average_precision/a", "average_precision/b"),
    )
    tested = RankingScorer(["a", "b"], scores, labels, mean_of=["b"], metrics=["auc"])
    for _ in range(5):
        rows = GENERATOR.integers(0, 40, 30)
        expected = []
        for measure in (roc_auc_score, average_precision_score):
            known = [rows[~np.isnan(labels[rows, k])] for k in range(2)]
            values = [measure(labels[known[k], k], scores[known[k], k]) for k in range(2)]
            expected += [np.mean(values), *values]
        assert scorer(rows) == pytest.approx(expected)
        assert tested(rows) == pytest.approx([expected[2], *expected[1:3]])
    assert np.isnan(scorer(np.flatnonzero(labels[:, 0] == 1)))[[1, 4]].all()  # one value only


def test_means_leave_out_what_is_unknown():
    values = np.array([[0.2, np.nan, np.nan], [0.6, 1.0, np.nan], [0.6, np.nan, np.nan]])  # nobody knows c
    scorer = MeanScorer("dice", ["a", "b", "c"], values)
    assert scorer(np.array([0, 1])).tolist() == pytest.approx([0.7, 0.4, 1.0, np.nan], nan_ok=True)
