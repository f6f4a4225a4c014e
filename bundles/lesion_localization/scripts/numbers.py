"""From the scores of single boxes to those of findings, and their mean.

Shapes: N boxes, S scores.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.scoring.bootstrap import bounds, patient_draws
from common.scoring.scorers import mean_of_known, mean_over_classes

from .cases import Case

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)  # of IoU, as the publisher of ChestX-ray14's boxes reports them
NAMES = ("pointing", "iou", *(f"iou_from_{threshold:g}" for threshold in THRESHOLDS), "energy")


class Scored(NamedTuple):
    """What a map says of one box.

    Args:
        pointing: whether its highest value lies in the box.
        iou: of the rectangle around its largest part.
        energy: share of its sum in the box; nan for a map of zeros.
        anywhere: whether it shows any place.
    """

    pointing: bool
    iou: float
    energy: float
    anywhere: bool


def summary(
    cases: Sequence[Case], scored: Sequence[Scored], findings: Sequence[str], resamples: int, seed: int
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """The mean over findings of each number, with its 95 % interval over patients; and a row per finding.

    A draw of patients without a box of some finding has no mean; `draws` says how many have a number.

    Args:
        cases: the boxes.
        scored: what a classifier's map says of each.
        findings: of which the mean is taken, all alike however many boxes they have.
        resamples: draws of patients.
        seed: of the draws.
    """
    values_NS = np.array([_values(one) for one in scored])
    finding_N = np.array([findings.index(case.finding) for case in cases])

    def by_finding(rows: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.stack([mean_of_known(values_NS[rows][finding_N[rows] == it]) for it in range(len(findings))])

    value_KS = by_finding(np.arange(len(cases)))
    defined_KS = np.isfinite(value_KS)

    def numbers(rows: NDArray[np.intp]) -> NDArray[np.float64]:
        found_KS = by_finding(rows)
        means = [mean_over_classes(found_KS[:, s], defined_KS[:, s]) for s in range(len(NAMES))]
        return np.concatenate([means, found_KS.ravel()])

    drawn = patient_draws(numbers, [case.patient for case in cases], resamples, seed)
    low, high = bounds(drawn)
    value = numbers(np.arange(len(cases)))
    draws = np.isfinite(drawn).sum(0)[:: len(NAMES)].tolist()  # of `pointing`, which every box has
    parts = [
        dict(zip(_interleaved(NAMES), np.stack(bounds, axis=1).ravel().tolist(), strict=True))
        for bounds in zip(*(np.split(it, len(findings) + 1) for it in (value, low, high)), strict=True)
    ]
    rows: list[dict[str, Any]] = []
    for number, (name, part) in enumerate(zip(findings, parts[1:], strict=True)):
        of_finding = finding_N == number
        images = {case.source for case, own in zip(cases, of_finding, strict=True) if own}
        empty = sum(not one.anywhere for one, own in zip(scored, of_finding, strict=True) if own)
        rows.append(
            {"finding": name, "boxes": int(of_finding.sum()), "images": len(images), "empty_maps": empty}
            | {"draws": draws[number + 1], **part}
        )
    counts = {"boxes": len(cases), "images": len({case.source for case in cases})}
    counts |= {"empty_maps": sum(row["empty_maps"] for row in rows), "draws": draws[0]}
    return {**counts, **parts[0]}, rows


def _values(one: Scored) -> list[float]:
    return [float(one.pointing), one.iou, *(float(one.iou >= threshold) for threshold in THRESHOLDS), one.energy]


def _interleaved(names: Sequence[str]) -> list[str]:
    return [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
