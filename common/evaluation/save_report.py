"""Write the outcome of an evaluation to files, print it, and hand its figures to the tracking."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
from ignite.engine import Engine, Events

from ..engines import rank
from ..files import outputs
from ..run_folder import EVALUATION
from .report import Outcome, Report
from .roc import roc_figure

FILES = (EVALUATION, "evaluation_classes.csv", "evaluation_images.csv")


class SaveReport:
    """Handler of an evaluator that leaves `evaluation.json`, two tables and, where there are curves, a figure.

    `evaluation.json` holds the metrics (null where undefined), how many images they were `evaluated` on (or studies, of
    several volumes each) and the notices; `evaluation_classes.csv` a row per class or structure;
    `evaluation_images.csv` a row per image, for paired statistics between runs.

    Args:
        report: the metric of the evaluator.
        directory: where the files go; made when absent.
        tracking: keeps the files and the figure with the run; None leaves them as files.
        about: facts to keep beside the numbers, such as the data set, the split and the weights.
    """

    def __init__(self, report: Report, directory: str, tracking: Any = None, about: dict[str, Any] | None = None):
        self.report = report
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
        content = {**self.about, **counted, "metrics": without_nan(outcome.metrics), "notices": outcome.notices}
        table = pd.DataFrame(outcome.table)
        figure = roc_figure(outcome, self.about) if outcome.curves else None
        files = [self.directory / name for name in FILES]
        with outputs(*files, *([self.directory / "roc.png"] if figure else [])) as [report, classes, images, *curves]:
            report.write_text(json.dumps(content, indent=2) + "\n")
            table.to_csv(classes, index=False)
            pd.DataFrame(outcome.images).to_csv(images, index=False)
            if figure:
                figure.savefig(curves[0], dpi=120, format="png")
        if self.tracking is not None:
            if figure:
                self.tracking.log_figure("roc", figure)
            for file in files:
                self.tracking.log_artifact(file)
        print(table.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
        print("\n".join([*outcome.notices, *(f"{name}: {value:.4f}" for name, value in headline(outcome).items())]))
        print(f"Written to {self.directory}/{', '.join(FILES)}")


def without_nan(metrics: dict[str, float]) -> dict[str, float | None]:
    """The metrics with None for nan, which JSON lacks."""
    return {name: None if math.isnan(value) else value for name, value in metrics.items()}


def headline(outcome: Outcome) -> dict[str, float]:
    """The metrics that are not of one class."""
    return {name: value for name, value in outcome.metrics.items() if "/" not in name}
