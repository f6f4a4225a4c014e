"""Write the outcome of an evaluation to files, print it, and hand its figures to the tracking."""

import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
from ignite.engine import Engine, Events

from ..engines import rank
from ..files import outputs
from ..records import Corpus
from ..run_folder import EVALUATED_CLASSES, EVALUATED_GROUPS, EVALUATED_IMAGES, EVALUATION
from ..scoring.bootstrap import LEVEL
from ..scoring.breakdown import Breakdown, breakdown, patients_of, records_of
from .report import Outcome, Report
from .roc import roc_figure

OWN_THRESHOLDS = ("youden_threshold", "best_threshold")  # of a classification, of a detection
SHOWN_OF_GROUPS = 5
"""Columns of the groups' table that the terminal shows: whose, how many, and the headline; then what they lack."""


class SaveReport:
    """Handler of an evaluator that leaves `evaluation.json`, two tables and, where there are curves, a figure.

    `evaluation.json` holds the metrics (null where undefined), how many images they were `evaluated` on (or studies, of
    several volumes each) and the notices; `evaluation_classes.csv` a row per class or structure;
    `evaluation_images.csv` a row per image, for paired statistics between runs (`common.scoring.compare`). With a
    corpus there are `intervals` (95 %, from resampled patients), whom each image is of, and `evaluation_groups.csv`
    with the numbers by view, sex and age group where the labels tell them.

    Args:
        report: the metric of the evaluator.
        directory: where the files go; made when absent.
        tracking: keeps the files and the figure with the run; None leaves them as files.
        about: facts to keep beside the numbers, such as the data set, the split and the weights.
        corpus: of the images; None leaves intervals and groups out.
        resamples: of the patients, for the intervals.
    """

    def __init__(
        self,
        report: Report,
        directory: str,
        tracking: Any = None,
        about: dict[str, Any] | None = None,
        corpus: Corpus | None = None,
        resamples: int = 1000,
    ):
        self.report = report
        self.corpus, self.resamples = corpus, resamples
        self.directory = Path(directory)
        self.tracking = tracking
        self.about = about or {}

    def attach(self, engine: Engine) -> None:
        """Write at the end of the evaluator's run, on the first process."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write all files."""
        outcome = self.report.outcome
        if outcome is None or rank():
            return
        self.write(outcome)

    def write(self, outcome: Outcome) -> None:
        """Write all files of an outcome into the directory: all of them, or none when one fails."""
        counted = {"evaluated": len(outcome.images)}
        parts = self._breakdown(outcome)
        notices = [*outcome.notices, *(parts.notices() if parts else [])]
        metrics = without_nan(outcome.metrics)
        content = {**self.about, **counted, **self.report.told(), "metrics": metrics, "notices": notices}
        tables = {EVALUATED_CLASSES: pd.DataFrame(outcome.table), EVALUATED_IMAGES: self._images(outcome)}
        if parts is not None:
            content["intervals"] = parts.as_dict()
            tables[EVALUATED_CLASSES] = with_intervals(tables[EVALUATED_CLASSES], parts)
            tables |= {EVALUATED_GROUPS: pd.DataFrame(parts.groups)} if parts.groups else {}
        figure = roc_figure(outcome, self.about) if outcome.curves else None
        files = [self.directory / name for name in (EVALUATION, *tables)]
        with outputs(*files, *([self.directory / "roc.png"] if figure else [])) as [report, *rest]:
            report.write_text(json.dumps(content, indent=2) + "\n")
            for table, path in zip(tables.values(), rest, strict=False):
                table.to_csv(path, index=False)
            if figure:
                figure.savefig(rest[-1], dpi=120, format="png")
        if EVALUATED_GROUPS not in tables:
            (self.directory / EVALUATED_GROUPS).unlink(missing_ok=True)  # of an evaluation before this one
        if self.tracking is not None:
            if figure:
                self.tracking.log_figure("roc", figure)
            for file in files:
                self.tracking.log_artifact(file)
        print(tables[EVALUATED_CLASSES].to_string(index=False, float_format=lambda value: f"{value:.4f}"))
        print("".join(f"{line}\n" for line in about_thresholds(tables[EVALUATED_CLASSES].columns)), end="")
        if EVALUATED_GROUPS in tables:
            groups = tables[EVALUATED_GROUPS]
            shown = groups.iloc[:, :SHOWN_OF_GROUPS].assign(
                **{"lacks": groups["lacks"]} if any(groups["lacks"]) else {}
            )
            print(shown.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
        print("\n".join([*notices, *(said(name, value, parts) for name, value in headline(outcome).items())]))
        print(f"Written to {self.directory}/{', '.join(file.name for file in files)}")
        if self.tracking is not None:
            print("\n".join(f"  {line}" for line in self.tracking.where_to_look()))

    def _images(self, outcome: Outcome) -> pd.DataFrame:
        images = pd.DataFrame(outcome.images)
        if self.corpus is not None and "source" in images:
            sources = images["source"].tolist()
            images.insert(1, "patient", patients_of(sources, records_of(sources, self.corpus)))
        return images

    def _breakdown(self, outcome: Outcome) -> Breakdown | None:
        scorer = self.report.scorer(outcome) if self.corpus is not None else None
        if self.corpus is None or scorer is None:
            return None
        return breakdown(scorer, [row["source"] for row in outcome.images], self.corpus, self.resamples)


def about_thresholds(columns: Collection[str]) -> list[str]:
    """What the two thresholds of a table are, below it: one is applied here, and one is what others may apply."""
    own = next((name for name in OWN_THRESHOLDS if name in columns), None)
    if own is None:
        return []
    best = f"{own} is the best of these very images: for another split, since here it would flatter."
    if "threshold" not in columns:
        return [f"{best} No threshold is applied."]
    return [f"threshold was chosen on the validation images, and gives the columns after it; {best}"]


def with_intervals(table: pd.DataFrame, parts: Breakdown) -> pd.DataFrame:
    """The table of classes with the bounds of each metric whose classes have intervals, beside it."""
    table = table.copy()
    names = table.iloc[:, 0]
    for metric in [name for name in parts.intervals if "/" not in name and name in table]:
        bounds = [parts.intervals.get(f"{metric}/{name}", (math.nan, math.nan)) for name in names]
        place = list(table.columns).index(metric) + 1
        table.insert(place, f"{metric}_low", [low for low, _ in bounds])
        table.insert(place + 1, f"{metric}_high", [high for _, high in bounds])
    return table


def said(name: str, value: float, parts: Breakdown | None) -> str:
    """A metric with its interval, for a person."""
    low, high = parts.intervals.get(name, (math.nan, math.nan)) if parts else (math.nan, math.nan)
    return f"{name}: {value:.4f}" + ("" if math.isnan(low) else f" ({LEVEL:.0%} interval {low:.4f} to {high:.4f})")


def without_nan(metrics: dict[str, float]) -> dict[str, float | None]:
    """The metrics with None for nan, which JSON lacks."""
    return {name: None if math.isnan(value) else value for name, value in metrics.items()}


def headline(outcome: Outcome) -> dict[str, float]:
    """The metrics that are not of one class."""
    return {name: value for name, value in outcome.metrics.items() if "/" not in name}
