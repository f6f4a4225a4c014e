"""Figures of cosines: of wholes and parts, of children and parents."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from common.figures import TEXT, series

from .drawing import MUTED, angles, column, cosine_axis, titled

BINS = list(range(0, 181, 2))  # degrees
MEASURED = series(6)[-1].color


def composition_figure(cosines: Mapping[str, Tensor]) -> Figure:
    """A panel for each number of parts: the patch's own parts, and those of another image.

    Args:
        cosines: `parts_2`, `other_2` and so on.
    """
    counts = [name.removeprefix("parts_") for name in cosines if name.startswith("parts_")]
    figure, panels = column([1.6] * len(counts))
    for axes, count in zip(panels[:, 0], counts, strict=True):
        _histogram(axes, {"its own": cosines[f"parts_{count}"], "another image's": cosines[f"other_{count}"]})
        titled(axes, f"patch and mean of {count} parts", "cosine" if count == counts[-1] else "")
    return figure


def parents_figure(own: Tensor, every: Tensor, macc: float) -> Figure:
    """The protocol's two histograms: of correct pairs, and of all pairs of a child and a candidate.

    Args:
        own: cosines of children with their parents.
        every: of children with all candidates.
        macc: share of the children that found theirs.
    """
    figure, panels = column([1.8, 1.8])
    _histogram(panels[0, 0], {"correct pairs": own.flatten()})
    _histogram(panels[1, 0], {"all pairs": every.flatten()}, colour=MUTED)
    titled(panels[0, 0], f"MAcc {macc:.1%}")
    titled(panels[1, 0], "", "cosine of child and parent")
    return figure


def _histogram(axes: Axes, values: Mapping[str, Tensor], colour: str = MEASURED) -> None:
    for place, (name, cosine) in enumerate(values.items()):
        weights = np.full(len(cosine), 1 / max(1, len(cosine)))
        label = f"{name}, mean {cosine.mean():.2f}"
        axes.hist(
            angles(cosine).numpy(), BINS, weights=weights, label=label, color=MUTED if place else colour, alpha=0.65
        )
    cosine_axis(axes)
    axes.set_ylim(0, 1.4 * axes.get_ylim()[1])  # room for the legend
    axes.set_ylabel("share", fontsize=TEXT)
    axes.legend(fontsize=TEXT, loc="upper left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
