"""A figure of a study at several budgets: what each method gains, against the views or the labels it saw."""

from collections.abc import Iterable, Mapping
from itertools import cycle
from statistics import mean
from typing import Any

from matplotlib.figure import Figure

from ..figures import TEXT, Style, styles
from .check import LABELS
from .panels import label, legend, panels
from .plan import Study

MARKERS = "o^sDvPX*"
"""One for each method: colours come again from the seventh on, and lines that lie on each other hide their dashes."""

BESIDE, ALONE = 1.12, 1.8
"""Reach of the methods about an amount, as a factor: seeds of one would hide those of another."""


def gains_figure(study: Study, summary: Mapping[str, Any]) -> Figure | None:
    """One panel for each metric: a line for each method through the means of its seeds, and a mark for each seed.

    A gain is a method's value less its reference's with the same seed, or the other way round where lower is better;
    0 is the reference.

    Args:
        study: at several budgets.
        summary: of its table.

    Returns:
        None as long as no gain was measured.
    """
    metrics = dict.fromkeys(title for about in summary["methods"].values() for title in about["metrics"])
    measured = {title: found for title in metrics if (found := _gains(study, summary, title))}
    if not measured:
        return None
    figure, drawn = panels(len(measured))
    look = styles({budget.title for budget in study.budgets.values()})
    marks = markers(look)
    lines: dict[str, Any] = {}
    for panel, (title, gains) in zip(drawn, measured.items(), strict=True):
        lines |= _draw(panel, gains, look, marks)
        amounts = sorted({budget.amount for budget in study.budgets.values()})
        panel.set_xticks(amounts, [f"{count:,}" for count in amounts])
        panel.set_xlim(amounts[0] / 1.5, amounts[-1] * 1.5)
        panel.minorticks_off()
        label(panel, title)
    legend(figure, lines)
    axis = "labelled items" if LABELS in study.content else "views rendered in pre-training"
    figure.supxlabel(axis, fontsize=TEXT + 1)
    figure.supylabel(f"gain over {_reference(study)}", fontsize=TEXT + 1)
    return figure


def _draw(
    panel: Any, gains: Mapping[str, Mapping[int, list[float]]], look: Mapping[str, Style], marks: Mapping[str, str]
) -> dict[str, Any]:
    """Draw one metric; returns the lines by their methods' titles."""
    panel.axhline(0, color="0.4", linewidth=0.8)
    panel.set_xscale("log")
    lines: dict[str, Any] = {}
    beside = _beside(gains)
    for title, points in gains.items():
        places = [amount * beside[title] for amount in points]
        means = [mean(found) for found in points.values()]
        above = {"zorder": 3 if len(points) == 1 else 2}  # one point of a method is easily hidden by others' lines
        (lines[title],) = panel.plot(
            places,
            means,
            marker=marks[title],
            markersize=7,
            markeredgecolor="white",
            markeredgewidth=0.5,
            **above,
            **look[title]._asdict(),
        )
        for place, found in zip(places, points.values(), strict=True):
            panel.plot([place] * len(found), found, marks[title], color=look[title].color, markersize=3, alpha=0.5)
    return lines


def _beside(gains: Mapping[str, Mapping[int, list[float]]]) -> dict[str, float]:
    """Factors of the amounts by which methods stand side by side, wider where there is only one amount."""
    reach = BESIDE if len({amount for points in gains.values() for amount in points}) > 1 else ALONE
    last = len(gains) - 1
    return {title: reach ** ((2 * place - last) / max(1, last)) for place, title in enumerate(gains)}


def markers(titles: Iterable[str]) -> dict[str, str]:
    """A mark of matplotlib for each method; up to eight have marks of their own."""
    return dict(zip(sorted(titles), cycle(MARKERS), strict=False))


def _gains(study: Study, summary: Mapping[str, Any], title: str) -> dict[str, dict[int, list[float]]]:
    """Differences of every seed from the reference in one metric, by the method's title and its budget."""
    methods, found = summary["methods"], dict[str, dict[int, list[float]]]()
    better = {title: where.better for cell in study.cells for title, where in cell.metrics.items()}
    sign = 1 if better[title] == "higher" else -1
    for key, budget in study.budgets.items():
        if key not in methods or study.reference(key) not in methods or study.reference(key) == key:
            continue
        own, other = (methods[name]["metrics"][title] for name in (key, study.reference(key)))
        reference = dict(zip(other["seeds"], other["values"], strict=True))
        pairs = zip(own["seeds"], own["values"], strict=True)
        if gains := [sign * (value - reference[seed]) for seed, value in pairs if seed in reference]:
            found.setdefault(budget.title, {})[budget.amount] = gains
    return found


def _reference(study: Study) -> str:
    """What all references' titles begin with: random weights, say, of more than one network."""
    methods = study.content["methods"]
    names = {study.reference(key) for key in study.budgets}
    shared = {str(methods[name].get("title", name)).split(",")[0] for name in names}
    return shared.pop() if len(shared) == 1 else "the reference"
