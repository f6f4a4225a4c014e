"""What differences of a study are worth: pairs by seed, intervals, and a correction for how many were asked."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

LEVEL = 0.95
"""Of intervals."""


def paired(values: Mapping[int, float], reference: Mapping[int, float]) -> dict[str, Any]:
    """Mean difference over the seeds that both have, its interval, and p of the paired t-test.

    A seed is a pair: it draws the same labelled images for both, and the same initial weights where nothing random is
    made before the network.

    Args:
        values: of one method, by seed.
        reference: of the method it is compared with.

    Returns:
        `difference`, `low`, `high` of the 95 % interval, and `p`; None where undefined: without a common seed, and all
        but the difference for a single seed or differences that do not vary, unless they are all 0, whose p is 1.

    Source: Student's t for the mean of paired differences.
    """
    seeds = sorted(values.keys() & reference.keys())
    figure: dict[str, Any] = {"difference": None, "low": None, "high": None, "p": None}
    differences = [values[seed] - reference[seed] for seed in seeds]
    if not differences:
        return figure
    figure["difference"] = middle = mean(differences)
    if len(differences) > 1 and not any(differences):
        figure |= {"low": 0.0, "high": 0.0, "p": 1.0}
    elif len(differences) > 1 and (deviation := stdev(differences)) > 1e-12 * abs(middle):
        error, freedom = deviation / len(differences) ** 0.5, len(differences) - 1
        reach = float(student.ppf((1 + LEVEL) / 2, freedom)) * error
        figure |= {"low": middle - reach, "high": middle + reach}
        figure["p"] = float(2 * student.sf(abs(middle) / error, freedom))
    return figure


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p for the number of comparisons, so that all of them together err with the probability of one.

    Args:
        p_values: in any order.

    Returns:
        The corrected p in the same order, at most 1.

    Source: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 1979.

    Example:
        >>> holm([0.01, 0.04, 0.02])
        [0.03, 0.04, 0.04]
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, (len(p_values) - rank) * p_values[index])
        corrected[index] = min(1.0, largest)
    return corrected
