import math

import numpy as np
import pytest

from common.scoring.matched import Matched


def test_average_precision_by_hand():
    found = Matched(np.array([0, 1, 0]), np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), np.array([2, 0]))
    assert found.average_precision() == pytest.approx((51 + 50 * 2 / 3) / 101)  # 1 up to a recall of a half, then 2 / 3
    assert found.average_precision(np.array([1.0, 0.0])) == 1
    assert math.isnan(found.average_precision(np.array([0.0, 1.0])))
    assert found.image_scores().tolist() == [0.9, 0.8]
    assert found.at(0.75) == {"precision": 0.5, "recall": 0.5, "f1": 0.5}
    assert found.at(0.9) == pytest.approx({"precision": 1.0, "recall": 0.5, "f1": 2 / 3})
    assert found.at(0.95)["recall"] == 0 and math.isnan(found.at(0.95)["precision"])
    assert found.best_threshold() == 0.7  # F1 of 0.8 there


def test_the_best_threshold_is_the_one_that_trying_all_finds():
    generator = np.random.default_rng(0)
    for _ in range(20):
        score = np.sort(generator.integers(1, 8, 12) / 8)[::-1]  # many are equal
        hit = generator.uniform(size=12) < 0.4
        found = Matched(np.zeros(12, int), score, hit, np.array([int(hit.sum()) + 3]))
        tried = {threshold: found.at(threshold)["f1"] for threshold in sorted(set(score), reverse=True)}
        assert found.best_threshold() == max(tried, key=tried.__getitem__) if hit.any() else True
