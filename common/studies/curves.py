"""How the numbers of a pre-training went, from its MLflow run, and a figure of those of a study."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from matplotlib.figure import Figure

from ..figures import TEXT, styles
from ..reporting.run_note import RunNote
from ..reporting.store import RunStore
from .cells import Record
from .panels import label, legend, panels

Curve = dict[str, list[Any]]
"""Optimiser steps under `step`, and each number at them; null where it was not measured."""
STEP = "step"


def read_curve(run_dir: Path, output_root: Path, names: Sequence[str]) -> Curve:
    """The points of some numbers of a run.

    Args:
        run_dir: folder of the run.
        output_root: where its MLflow file is, unless `MLFLOW_TRACKING_URI` names a server.
        names: as MLflow has them, such as `validation/landmark_retrieval`.

    Raises:
        ValueError: the folder knows no run of MLflow, or the run has no such number.
    """
    run_id = RunNote(run_dir).run_id()
    if run_id is None:
        raise ValueError(f"{run_dir} knows no run of MLflow, so there is no curve")
    client = RunStore(None, output_root, run_dir.parent.name).client
    points = {name: {point.step: point.value for point in client.get_metric_history(run_id, name)} for name in names}
    if missing := [name for name, found in points.items() if not found]:
        known = ", ".join(sorted(client.get_run(run_id).data.metrics))
        raise ValueError(f"curve: the run of {run_dir} has no {', '.join(missing)}, only {known}")
    steps = sorted({step for found in points.values() for step in found})
    return {STEP: steps} | {name: [found.get(step) for step in steps] for name, found in points.items()}


def curves_figure(records: Mapping[str, Sequence[Record]], names: Mapping[str, str]) -> Figure:
    """One panel for each number: a line for each method, the mean over its seeds, and a band from least to most.

    A line begins where the weights are random, but for that of a last stage. Seeds whose runs have other steps are
    drawn at the steps they share.

    Args:
        records: of pre-trainings with a `curve`, by title of the method.
        names: of the numbers, as MLflow has them, by what they are called.
    """
    figure, drawn = panels(len(names))
    look, lines = styles(records), dict[str, Any]()
    for panel, (called, name) in zip(drawn, names.items(), strict=True):
        for title, seeds in records.items():
            steps, low, middle, high = _over_seeds([record["curve"] for record in seeds], name)
            (lines[f"{title} ({len(seeds)})"],) = panel.plot(steps, middle, **look[title]._asdict())
            panel.fill_between(steps, low, high, color=look[title].color, alpha=0.15, linewidth=0)
        label(panel, called)
        panel.set_xlabel("optimiser steps", fontsize=TEXT)
    legend(figure, lines)
    return figure


def _over_seeds(curves: Sequence[Mapping[str, Sequence[Any]]], name: str) -> tuple[list[Any], ...]:
    """Steps that all seeds share, and there the least, the mean and the most."""
    points = [
        {step: value for step, value in zip(curve[STEP], curve[name], strict=True) if value is not None}
        for curve in curves
    ]
    steps = sorted(set.intersection(*(set(found) for found in points)))
    values = [[found[step] for found in points] for step in steps]
    return steps, [min(at) for at in values], [mean(at) for at in values], [max(at) for at in values]
