"""Draw how pre-trainings went: what their probes say, rank and spread of embeddings, losses, and their gradients.

python scripts/draw_course.py ACE=runs/cxr_ace/NAME SRHRS=runs/cxr_srhrs/NAME --out course.png --points course.json
python scripts/draw_course.py --points course.json --out course.png     # again, without the runs

Runs of `--gradient_share_interval 23` have the last panel, each loss's share of the gradient.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from common.figures import TEXT, styles
from common.reporting.run_note import RunNote
from common.reporting.store import RunStore
from common.studies.curves import STEP, read_curve
from common.studies.panels import label

PROBES = {"validation/landmark_retrieval": "landmarks found", "validation/patch_auc": "lung probe"}
EMBEDDINGS = {"validation/embedding_rank": "rank", "validation/embedding_spread": "spread"}
LOSSES, SHARES = "train/", "gradient_share/"
NO_LOSSES = {"train/told_apart", "train/pruned"}
WINDOW = 5  # points of a loss, each of one batch, that are averaged

Course = Mapping[str, Sequence[Any]]


def read(run: Path) -> dict[str, list[Any]]:
    """The numbers of a run at its steps, as `read_curve`."""
    run_id = RunNote(run).run_id()
    if run_id is None:
        raise SystemExit(f"{run} knows no run of MLflow: give the folder of a pre-training")
    root = run.resolve().parents[1]
    known = RunStore(None, root, run.resolve().parent.name).client.get_run(run_id).data.metrics
    losses = {name for name in known if name.startswith((LOSSES, SHARES))} - NO_LOSSES
    return read_curve(run, root, sorted(losses | (known.keys() & (PROBES | EMBEDDINGS).keys())))


def points(course: Course, name: str) -> list[tuple[int, float]]:
    return [(step, y) for step, y in zip(course[STEP], course[name], strict=True) if y is not None]


def measured(course: Course, names: Mapping[str, str]) -> dict[str, list[tuple[int, float]]]:
    """Points of those numbers that the run has, by what they are called."""
    return {called: points(course, name) for name, called in names.items() if name in course}


def panel(axes: Axes, title: str, lines: Mapping[str, list[tuple[int, float]]]) -> None:
    """Lines by what each shows; without any the panel is left out."""
    if not lines:
        return axes.set_axis_off()
    look = styles(lines)
    for name, drawn in lines.items():
        axes.plot(*zip(*drawn, strict=True), label=name, **look[name]._asdict())
    axes.legend(fontsize=TEXT - 1, frameon=False)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("optimiser steps", fontsize=TEXT)
    return label(axes, title)


def divided(drawn: Sequence[tuple[int, float]], by: float) -> list[tuple[int, float]]:
    return [(step, y / by) for step, y in drawn]


def smooth(drawn: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Means of a point and those before it."""
    windows = [drawn[max(0, place - WINDOW + 1) : place + 1] for place in range(len(drawn))]
    return [(window[-1][0], mean(y for _, y in window)) for window in windows]


def course_figure(courses: Mapping[str, Course]) -> Figure:
    """A row of four panels for each run, by title."""
    figure = Figure(figsize=(14, 2.9 * len(courses)), layout="constrained")
    rows = figure.subplots(len(courses), 4, squeeze=False)
    for row, (title, course) in zip(rows, courses.items(), strict=True):
        parts = sorted(name for name in course if name.startswith(LOSSES))
        parts = [name for name in parts if name != "train/loss"] or parts  # a single loss is the total
        panel(row[0], f"{title}: probes", measured(course, PROBES))
        embeddings = measured(course, EMBEDDINGS)
        starts = {called: divided(drawn, drawn[0][1]) for called, drawn in embeddings.items()}
        panel(row[1], "embeddings, to random weights'", starts)
        losses = {name.removeprefix(LOSSES): smooth(points(course, name)) for name in parts}
        most = {called: divided(drawn, max(y for _, y in drawn)) for called, drawn in losses.items()}
        panel(row[2], "losses, to their largest", most)
        shares = {name.removeprefix(SHARES): points(course, name) for name in course if name.startswith(SHARES)}
        panel(row[3], "shares of the gradient", shares)
    return figure


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="TITLE=RUN", help="folders of pre-trainings; none: draw --points")
    parser.add_argument("--out", type=Path, default=Path("course.png"), help="PNG, PDF or SVG")
    parser.add_argument("--points", type=Path, help="JSON of what is drawn: written of RUNS, or read without")
    options = parser.parse_args(words)
    if not options.runs and options.points is None:
        parser.error("give runs, or --points")
    if options.runs:
        courses = {title: read(Path(run)) for title, _, run in (word.partition("=") for word in options.runs)}
        if options.points is not None:
            options.points.write_text(json.dumps(courses) + "\n")
    else:
        courses = json.loads(options.points.read_text())
    course_figure(courses).savefig(options.out, dpi=110)
    print(f"{len(courses)} runs in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
