"""How trainings went, beside each other: probes, embeddings, losses, and what share of the gradient each loss had."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..figures import TEXT, styles
from ..reporting.run_note import RunNote
from ..reporting.store import RunStore
from .curves import STEP, Curve, read_curve
from .panels import label

PROBES = {"validation/landmark_retrieval": "landmarks found", "validation/patch_auc": "lung probe"}
EMBEDDINGS = {"validation/embedding_rank": "rank", "validation/embedding_spread": "spread"}
LOSSES, SHARES = "train/", "gradient_share/"
NO_LOSSES = {"train/told_apart", "train/pruned", "train/with_mask"}
WINDOW = 5
"""Points of a loss, each of one batch, that are averaged."""

Points = list[tuple[int, float]]


def read_course(run_dir: Path) -> Curve:
    """The numbers of a run, as `read_curve` gives them.

    Args:
        run_dir: folder of the run, below an output root and its bundle.

    Raises:
        ValueError: the folder knows no run of MLflow.
    """
    run_id = RunNote(run_dir).run_id()
    if run_id is None:
        raise ValueError(f"{run_dir} knows no run of MLflow: give the folder of a training")
    root = run_dir.resolve().parents[1]
    known = RunStore(None, root, run_dir.resolve().parent.name).client.get_run(run_id).data.metrics
    losses = {name for name in known if name.startswith((LOSSES, SHARES))} - NO_LOSSES
    return read_curve(run_dir, root, sorted(losses | (known.keys() & (PROBES | EMBEDDINGS).keys())))


def course_figure(courses: Mapping[str, Mapping[str, Sequence[Any]]]) -> Figure:
    """A row of panels for each run: probes; rank and spread, to their first; losses, to their largest; shares.

    Args:
        courses: of `read_course`, by title.
    """
    figure = Figure(figsize=(14, 2.9 * len(courses)), layout="constrained")
    rows = figure.subplots(len(courses), 4, squeeze=False)
    for row, (title, course) in zip(rows, courses.items(), strict=True):
        drawn = {
            "probes": _measured(course, PROBES),
            "embeddings, to their first": _divided(_measured(course, EMBEDDINGS), first=True),
            "losses, to their largest": _divided(_losses(course)),
            "shares of the gradient": _measured(course, _named(course, SHARES)),
        }
        titles = [called for called, lines in drawn.items() if lines]
        for axes, (called, lines) in zip(row, drawn.items(), strict=True):
            if lines:
                _panel(axes, f"{title}: {called}" if called == titles[0] else called, lines)
            else:
                axes.set_axis_off()
    return figure


def _losses(course: Mapping[str, Sequence[Any]]) -> dict[str, Points]:
    """Parts of the total, or the total where it has none; means of a point and those before it."""
    names = _named(course, LOSSES)
    names = {name: called for name, called in names.items() if called != "loss"} or names
    return {
        called: [(points[i][0], mean(y for _, y in points[max(0, i - WINDOW + 1) : i + 1])) for i in range(len(points))]
        for called, points in _measured(course, names).items()
    }


def _named(course: Mapping[str, Sequence[Any]], prefix: str) -> dict[str, str]:
    return {name: name.removeprefix(prefix) for name in sorted(course) if name.startswith(prefix)}


def _measured(course: Mapping[str, Sequence[Any]], names: Mapping[str, str]) -> dict[str, Points]:
    """Points of those numbers that the run has, by what they are called."""
    return {
        called: [(step, y) for step, y in zip(course[STEP], course[name], strict=True) if y is not None]
        for name, called in names.items()
        if name in course
    }


def _divided(lines: Mapping[str, Points], first: bool = False) -> dict[str, Points]:
    """Lines as multiples of their first or their largest value; those that have none but 0 as they are."""
    units = {called: (points[0][1] if first else max(y for _, y in points)) or 1.0 for called, points in lines.items()}
    return {called: [(step, y / units[called]) for step, y in points] for called, points in lines.items()}


def _panel(axes: Axes, title: str, lines: Mapping[str, Points]) -> None:
    look = styles(lines)
    for called, points in lines.items():
        axes.plot(*zip(*points, strict=True), label=called, **look[called]._asdict())
    axes.legend(fontsize=TEXT - 1, frameon=False)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("optimiser steps", fontsize=TEXT)
    label(axes, title)
