import numpy as np
import pytest
from scipy import stats

from common.scoring import patient_intervals
from common.scoring.bootstrap import ENOUGH


def test_with_one_image_each_it_is_scipys_percentile_interval():
    values = np.random.default_rng(0).gamma(2.0, size=60)
    ours = patient_intervals(lambda rows: [values[rows].mean()], [str(n) for n in range(60)], 4000)[:, 0]
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1))
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert np.abs(ours - theirs.confidence_interval).max() < 0.06 * width


def test_patients_come_and_go_whole():
    """Copies of a patient's image tell nothing new: intervals are those of one image each, not four times as sure."""
    values = np.random.default_rng(0).normal(size=30)
    once = patient_intervals(lambda rows: [values[rows].mean()], [str(n) for n in range(30)])
    copied = np.repeat(values, 4)
    patients = [str(n) for n in range(30) for _ in range(4)]
    assert np.allclose(patient_intervals(lambda rows: [copied[rows].mean()], patients), once)
    apart = patient_intervals(lambda rows: [copied[rows].mean()], [str(n) for n in range(120)])
    assert np.ptp(apart) < 0.7 * np.ptp(once)


def test_level_is_the_share_between_the_bounds():
    """Of two patients with 0 and 1, a quarter of the draws has the mean 0, half 0.5, a quarter 1."""
    values = np.array([0.0, 1.0])
    for level, expected in ((0.95, [0, 1]), (0.4, [0.5, 0.5])):
        assert patient_intervals(lambda rows: [values[rows].mean()], ["a", "b"], level=level)[:, 0].tolist() == expected


def test_draws_follow_from_the_seed():
    values = np.random.default_rng(0).normal(size=40)
    patients = [str(n) for n in range(40)]
    first, again, other = (patient_intervals(lambda r: [values[r].mean()], patients, 50, seed=s) for s in (0, 0, 1))
    assert (first == again).all() and (first != other).any()


def test_what_is_undefined_does_not_count():
    values = np.array([[1.0, np.nan], [2.0, np.nan], [3.0, np.nan]])
    bounds = patient_intervals(lambda rows: values[rows].mean(0), ["a", "b", "c"])
    assert bounds[:, 0].tolist() == [1, 3] and np.isnan(bounds[:, 1]).all()
    sometimes = patient_intervals(lambda rows: [np.nan if (rows == 0).all() else 5.0], ["a", "b"])
    assert sometimes[:, 0].tolist() == [5, 5]


def test_an_interval_needs_a_draw_beyond_each_of_its_ends():
    """Of 1,000 draws of 95 % that are 40; a number that fewer define has none."""
    counted = iter(range(2000))
    few = patient_intervals(lambda rows: [1.0 if next(counted) % 26 == 0 else np.nan], ["a", "b"])
    more = patient_intervals(lambda rows: [1.0 if next(counted) % 24 == 0 else np.nan], ["a", "b"])
    assert np.isnan(few).all() and more.ravel().tolist() == [1, 1]


def test_one_patient_has_no_interval():
    assert np.isnan(patient_intervals(lambda rows: [1.0], ["a", "a", "a"])).all()
    assert patient_intervals(lambda rows: [1.0], ["a", "b", "a"])[0] == pytest.approx(1.0)


def test_an_interval_of_enough_patients_is_at_most_a_tenth_too_narrow():
    normal, students = stats.norm.ppf(0.975), stats.t.ppf
    first = next(n for n in range(2, 99) if 1 - normal * np.sqrt((n - 1) / n) / students(0.975, n - 1) < 0.1)
    assert first <= ENOUGH <= first + 2  # rounded
