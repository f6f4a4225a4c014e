import pytest
from scipy.stats import ttest_rel

from common.studies.differences import holm, paired


def test_seeds_are_pairs():
    """Against SciPy's test of the same pairs, where seeds lie in another order and one is missing."""
    values, reference = {2: 0.9, 0: 0.7, 1: 0.85}, {0: 0.6, 1: 0.8, 2: 0.82, 3: 0.1}
    figure, test = paired(values, reference), ttest_rel([0.7, 0.85, 0.9], [0.6, 0.8, 0.82])
    interval = test.confidence_interval(0.95)
    assert figure["difference"] == pytest.approx((0.1 + 0.05 + 0.08) / 3)
    assert figure["p"] == pytest.approx(test.pvalue)
    assert (figure["low"], figure["high"]) == pytest.approx((interval.low, interval.high))


def test_what_is_undefined_is_none():
    nothing = {"difference": None, "low": None, "high": None, "p": None}
    equal = {"difference": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}
    assert paired({0: 0.5, 1: 0.5}, {0: 0.5, 1: 0.5}) == equal, "measured, and no different"
    assert paired({}, {0: 0.5}) == nothing == paired({1: 0.4}, {0: 0.5})
    assert paired({0: 0.7}, {0: 0.5}) == nothing | {"difference": pytest.approx(0.2)}
    assert paired({0: 0.7, 1: 0.7}, {0: 0.5, 1: 0.5})["p"] is None, "a difference that does not vary"


def test_holm_by_hand():
    """0.01 of four comparisons, 0.03 of three, and 0.04 of two, which may not fall below the one before; at most 1."""
    assert holm([0.04, 0.01, 0.9, 0.03]) == pytest.approx([0.09, 0.04, 0.9, 0.09])
    assert holm([0.6, 0.7]) == [1.0, 1.0] and holm([]) == []
