"""The picture of an evaluation with curves: ROC of every class."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from matplotlib.figure import Figure

from ..figures import TEXT, as_written, rare_style, styles
from ..scoring.from_rows import Row
from .report import Outcome

FEW = 10
"""Cases below which a curve is a few steps, and its AUC's confidence interval about as wide as half the scale."""
LINES = 30  # of a legend's column
HEADING = "AUC  class (positives of cases)"


def roc_figure(outcome: Outcome, about: Mapping[str, Any] | None = None) -> Figure:
    """One ROC curve per class, the best first in the legend, with AUC and numbers of cases.

    Classes with fewer than `FEW` positive or negative cases are grey and dashed, and come last.

    Args:
        outcome: of a classification; its table has `class`, `images`, `positives` and `auc`.
        about: `corpus` and `split`, for the title.
    """
    rows = sorted((row for row in outcome.table if row["class"] in outcome.curves), key=_order)
    lines = styles(row["class"] for row in rows)
    labels = [f"{row['auc']:.3f}  {as_written(row['class'])} ({row['positives']} of {row['images']})" for row in rows]
    columns = ceil(len(rows) / LINES)
    beside = columns * (0.7 + 0.068 * max(map(len, [*labels, HEADING])))  # inches of a line of the smallest text
    side = max(4.4, 0.19 * (min(len(rows), LINES) + 5))
    figure = Figure(figsize=(side + beside, side), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.85", linewidth=1)
    few = [row["class"] for row in rows if _is_rare(row)]
    for row, label in zip(rows[::-1], labels[::-1], strict=True):  # so that the best lies on top, the rare ones below
        name = row["class"]
        style = rare_style(few.index(name)) if name in few else lines[name]
        axes.plot(*outcome.curves[name], label=label, linewidth=1.0 if name in few else 1.6, **style._asdict())
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", anchor="NW")
    axes.set_xlabel("1 - specificity", fontsize=TEXT + 1)
    axes.set_ylabel("sensitivity", fontsize=TEXT + 1)
    axes.tick_params(labelsize=TEXT)
    axes.set_title(_title(outcome, about or {}), fontsize=TEXT + 2)
    axes.legend(
        axes.get_legend_handles_labels()[0][::-1],
        labels,
        title=HEADING + (f"\ngrey, dashed: under {FEW} of either kind" if few else ""),
        fontsize=TEXT,
        title_fontsize=TEXT,
        alignment="left",
        handlelength=3,
        loc="upper left",
        bbox_to_anchor=(1.02, 1),
        borderaxespad=0,
        ncols=columns,
    )
    return figure


def _is_rare(row: Row) -> bool:
    return min(row["positives"], row["images"] - row["positives"]) < FEW


def _order(row: Row) -> tuple[bool, float]:
    return _is_rare(row), -row["auc"]


def _title(outcome: Outcome, about: Mapping[str, Any]) -> str:
    split = f"{about['split']} split" if "split" in about else ""
    words = [as_written(str(about.get("corpus", "")), 24), split, f"n = {len(outcome.images)}"]
    return "ROC: " + ", ".join(word for word in words if word)
