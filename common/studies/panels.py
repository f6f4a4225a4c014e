"""How the figures of a study are laid out: panels of one size, two in a row, and the legend beside them."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from ..figures import TEXT

COLUMNS = 2


def panels(count: int) -> tuple[Figure, list[Any]]:
    """A figure and so many of its panels, row by row."""
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    figure = Figure(figsize=(4.4 * columns + 2.2, 3.2 * rows), layout="constrained")
    made = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in made[count:]:
        panel.remove()
    return figure, made[:count]


def label(panel: Any, title: str) -> None:
    """Title a panel, in text of one size and without a frame."""
    panel.set_title(title, fontsize=TEXT + 1)
    panel.tick_params(labelsize=TEXT)
    panel.spines[["top", "right"]].set_visible(False)


def legend(figure: Figure, lines: Mapping[str, Any]) -> None:
    """Name the lines of all panels once."""
    figure.legend([*lines.values()], [*lines], loc="outside right center", fontsize=TEXT, frameon=False)
