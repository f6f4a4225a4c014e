"""Confidence intervals from resampled patients."""

from collections.abc import Callable, Sequence

import numpy as np

Statistic = Callable[[np.ndarray], Sequence[float] | np.ndarray]
"""From row numbers, some of them several times, to the numbers that the rows give."""
LEVEL = 0.95
"""Of the intervals that evaluations and comparisons tell."""
ENOUGH = 20
"""Patients from which on the interval of a mean is less than a tenth narrower than Student's, rounded: 1.96 times
sqrt((n - 1) / n) against t with n - 1 degrees of freedom. Of 6 patients it is narrower by 30 %."""


def patient_intervals(
    statistic: Statistic, patients: Sequence[str], resamples: int = 1000, level: float = LEVEL, seed: int = 0
) -> np.ndarray:
    """Percentile bootstrap with patients as units: images of one patient are alike, and come and go together.

    Args:
        statistic: its numbers may be nan where a draw leaves one undefined, which then does not count.
        patients: of each row.
        resamples: how often as many patients as there are are drawn with replacement.
        level: of the interval, in (0, 1).
        seed: of the draws.

    Returns:
        Lower and upper bounds (2, number of statistics); nan where there are not two patients, or as `bounds`.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentiles) and 8 (units).

    Example:
        >>> errors = np.array([1.0, 3.0, 2.0, 2.0])
        >>> patient_intervals(lambda rows: [errors[rows].mean()], ["a", "a", "b", "b"]).tolist()  # 2 of each patient
        [[2.0], [2.0]]
    """
    return bounds(patient_draws(statistic, patients, resamples, seed), level)


def patient_draws(statistic: Statistic, patients: Sequence[str], resamples: int = 1000, seed: int = 0) -> np.ndarray:
    """The numbers of each draw of patients (resamples, number of statistics); all nan where there are not two.

    Args:
        statistic: as in `patient_intervals`.
        patients: of each row.
        resamples: number of draws.
        seed: of the draws.
    """
    rows_of: dict[str, list[int]] = {}
    for row, patient in enumerate(patients):
        rows_of.setdefault(patient, []).append(row)
    groups = [np.asarray(rows) for rows in rows_of.values()]
    generator = np.random.default_rng(seed)
    draws = generator.integers(len(groups), size=(resamples, len(groups)))
    found = np.stack([np.asarray(statistic(np.concatenate([groups[i] for i in draw])), float) for draw in draws])
    return found if len(groups) > 1 else np.full_like(found, np.nan)


def few_patients(count: int) -> list[str]:
    """What a reader of intervals over so few patients must know; nothing where there are enough, or no interval.

    Args:
        count: of the patients that were resampled.
    """
    if not 1 < count < ENOUGH:
        return []
    return [
        f"The intervals are of {count} patients: of fewer than {ENOUGH} they come out too narrow, and differences that "
        "they seem to establish may be chance."
    ]


def bounds(found: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Percentiles (2, statistics) of the draws that define a number; nan where too few do to have one beyond each.

    Args:
        found: numbers of each draw (resamples, statistics), nan where undefined.
        level: of the interval, in (0, 1).
    """
    edges = np.full((2, found.shape[1]), np.nan)
    enough = np.isfinite(found).sum(0) >= min(2 / (1 - level), len(found))
    if enough.any():
        edges[:, enough] = np.nanquantile(found[:, enough], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return edges
