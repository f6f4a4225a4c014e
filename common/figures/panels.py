"""Examples side by side: a column for each kind, such as worst and best, and a panel for each image."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import TEXT, as_written

SIDE = 2.9  # inches of a panel
Item = Mapping[str, Any]


def example_panels(items: Mapping[str, Sequence[Item]], title: str) -> tuple[Figure, list[tuple[Axes, Item]]]:
    """A figure with its titles, and each panel with the item that belongs into it.

    Args:
        items: by kind, whose name stands above its column.
        title: of the figure.
    """
    rows = max(map(len, items.values()))  # a single column has room for the title all the same
    figure = Figure(figsize=(SIDE * max(len(items), 2), (SIDE + 0.5) * rows + 0.7), layout="constrained")
    panels = figure.subplots(rows, len(items), squeeze=False)
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, kind in zip(panels[0], items, strict=True):
        axes.set_title(kind, fontsize=TEXT + 1)
    figure.suptitle(as_written(title, 90), fontsize=TEXT + 2)
    pairs = [
        (axes, item)
        for column, chosen in enumerate(items.values())
        for axes, item in zip(panels[:, column], chosen, strict=False)
    ]
    return figure, pairs
