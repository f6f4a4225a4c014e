"""How sure a result is, and whom it holds for: intervals over patients, and the numbers of groups of them."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..records import Corpus, Record
from .bootstrap import LEVEL, bounds, few_patients, patient_draws
from .from_rows import Row
from .scorers import Scorer

AGES, AGE_GROUPS = (18, 40, 65), ("0-17", "18-39", "40-64", "65+")
"""Years at which the second and each later group begins, and how they are called."""


@dataclass(frozen=True)
class Breakdown:
    """A result by itself and by group.

    Args:
        intervals: metric -> lower and upper bound of its interval; nan where nothing can be said.
        groups: a row per group, with `by`, `group`, `images`, `patients`, the metrics, and in `lacks` the classes that
            the group leaves undefined and all images do not: then it has no mean over classes.
        resamples: draws of patients.
        patients: that were resampled.
        draws: metric -> how many draws define it, where not all do; the interval is theirs.
    """

    intervals: dict[str, tuple[float, float]]
    groups: list[Row] = field(default_factory=list)
    resamples: int = 0
    patients: int = 0
    draws: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The intervals as they stand in a file; null where nothing can be said."""
        edges = {name: None if math.isnan(low) else [low, high] for name, (low, high) in self.intervals.items()}
        counts = {"patients": self.patients, "resamples": self.resamples, "draws": self.draws}
        return {"level": LEVEL, **counts, "metrics": edges}

    def notices(self) -> list[str]:
        """That patients are few; how many draws count, of each mean over classes that some of them leave undefined."""
        means = {name: count for name, count in self.draws.items() if "/" not in name}
        few = few_patients(self.patients) if any(math.isfinite(low) for low, _ in self.intervals.values()) else []
        return few + [
            f"{', '.join(name for name in means if means[name] == count)}: the interval is of the {count} of "
            f"{self.resamples} draws of patients that have every class; the others have no such mean."
            for count in sorted(set(means.values()), reverse=True)
        ]


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
    drawn = patient_draws(scorer, patients, resamples, seed)
    edges = bounds(drawn, LEVEL)
    intervals = {name: (float(low), float(high)) for name, low, high in zip(scorer.names, *edges, strict=True)}
    counted = dict(zip(scorer.names, np.isfinite(drawn).sum(0).tolist(), strict=True))
    whole = dict(zip(scorer.names, scorer(np.arange(len(sources))).tolist(), strict=True))
    draws = {name: count for name, count in counted.items() if count < resamples and math.isfinite(whole[name])}
    groups: list[Row] = []
    for by, names in _groups(records).items():
        for group in sorted(set(names) - {None}, key=str):
            rows = np.flatnonzero([name == group for name in names])
            counts = {"images": len(rows), "patients": len({patients[row] for row in rows})}
            numbers = dict(zip(scorer.names, scorer(rows).tolist(), strict=True))
            lacks = _lacking(numbers, whole, scorer.names[0])
            groups.append({"by": by, "group": group, **counts, **numbers, "lacks": ", ".join(lacks)})
    return Breakdown(intervals, groups, resamples, len(set(patients)), draws)


def _lacking(numbers: Mapping[str, float], whole: Mapping[str, float], metric: str) -> list[str]:
    """Classes of which a group leaves a metric undefined and all images do not."""
    of_class = {name.removeprefix(f"{metric}/"): name for name in whole if name.startswith(f"{metric}/")}
    return [it for it, name in of_class.items() if math.isnan(numbers[name]) and math.isfinite(whole[name])]


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
