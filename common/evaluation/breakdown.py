"""How sure a result is, and whom it holds for: intervals over patients, and the numbers of groups of them."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..records import Corpus, Record
from .bootstrap import patient_intervals
from .report import Row
from .scorers import Scorer

AGES, AGE_GROUPS = (18, 40, 65), ("0-17", "18-39", "40-64", "65+")
"""Years at which the second and each later group begins, and how they are called."""
LEVEL = 0.95


@dataclass(frozen=True)
class Breakdown:
    """A result by itself and by group.

    Args:
        intervals: metric -> lower and upper bound of its interval; nan where nothing can be said.
        groups: a row per group, with `by`, `group`, `images`, `patients` and the metrics.
        resamples: of the intervals.
        patients: that were resampled.
    """

    intervals: dict[str, tuple[float, float]]
    groups: list[Row] = field(default_factory=list)
    resamples: int = 0
    patients: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The intervals as they stand in a file; null where nothing can be said."""
        bounds = {name: None if math.isnan(low) else [low, high] for name, (low, high) in self.intervals.items()}
        return {"level": LEVEL, "patients": self.patients, "resamples": self.resamples, "metrics": bounds}


def breakdown(
    scorer: Scorer, sources: Sequence[str], corpus: Corpus, resamples: int = 1000, seed: int = 0
) -> Breakdown:
    """Resample patients, and score each group that the labels tell apart.

    Args:
        scorer: of a report.
        sources: file or study of each of its rows; a row that is in no record is a patient of its own.
        corpus: tells patient, view, sex and age.
        resamples: of the percentile bootstrap.
        seed: of the draws.
    """
    records = records_of(sources, corpus)
    patients = patients_of(sources, records)
    bounds = patient_intervals(scorer, patients, resamples, LEVEL, seed)
    intervals = {name: (float(low), float(high)) for name, low, high in zip(scorer.names, *bounds, strict=True)}
    groups = []
    for by, names in _groups(records).items():
        for group in sorted(set(names) - {None}, key=str):
            rows = np.flatnonzero([name == group for name in names])
            counts = {"images": len(rows), "patients": len({patients[row] for row in rows})}
            numbers = dict(zip(scorer.names, scorer(rows).tolist(), strict=True))
            groups.append({"by": by, "group": group, **counts, **numbers})
    return Breakdown(intervals, groups, resamples, len(set(patients)))


def records_of(sources: Sequence[str], corpus: Corpus) -> list[Record | None]:
    """The record of each file or study, where there is one."""
    known = {record.image: record for record in corpus.records}
    known |= {record.study_id: record for record in corpus.records if record.study_id is not None}
    return [known.get(source) for source in sources]


def patients_of(sources: Sequence[str], records: Sequence[Record | None]) -> list[str]:
    """Whose each row is; one without a record is a patient of its own."""
    return [source if record is None else record.patient_id for source, record in zip(sources, records, strict=True)]


def _groups(records: Sequence[Record | None]) -> dict[str, list[str | None]]:
    """What is known of each row, by what it can be told apart by; nothing that is one and the same for all."""
    told: dict[str, list[str | None]] = {
        "view": [record.view if record else None for record in records],
        "sex": [record.sex if record else None for record in records],
        "age": [_age_group(record.age) if record else None for record in records],
    }
    return {by: names for by, names in told.items() if len(set(names) - {None}) > 1}


def _age_group(age: float | None) -> str | None:
    return None if age is None else AGE_GROUPS[bisect_right(AGES, age)]
