"""Figures of landmarks in the plane of a t-SNE map, and of their symmetry."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from common.figures import TEXT, as_written

from .drawing import MUTED, angles, column, cosine_axis, landmark_styles, titled

QUARTILES = torch.tensor([0.25, 0.5, 0.75])
LETTERS = 20  # of a landmark's name in a legend of two columns


def map_figure(places: dict[float, Tensor], landmark_P: Tensor, names: Sequence[str]) -> Figure:
    """A panel for each patch size, all of one map.

    Args:
        places: (P, 2) in [0, 1] by size.
        landmark_P: of each patch.
        names: of the landmarks.
    """
    figure, panels = column([2.6] * len(places) + [_legend_height(names)])
    for axes, (side, places_P2) in zip(panels[:, 0], places.items(), strict=False):
        scatter(axes, places_P2, landmark_P, names)
        titled(axes, f"patches of {side:g} of the image's side")
    _legend(panels[-1, 0], names)
    return figure


def scatter(axes: Axes, places_P2: Tensor, landmark_P: Tensor, names: Sequence[str]) -> None:
    """Patches in the plane, by landmark."""
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=[], yticks=[], aspect="equal")
    for number, (colour, marker) in enumerate(landmark_styles(names).values()):
        x_P, y_P = places_P2[landmark_P == number].T
        axes.scatter(x_P, y_P, s=14, c=colour, marker=marker, linewidths=0.3, edgecolors="black", alpha=0.85)


def symmetry_figure(
    plane: dict[str, Tensor], landmark_P: Tensor, names: Sequence[str], cosines: dict[str, Tensor], pairs: Sequence[str]
) -> Figure:
    """Patches and their mirror images in one map, and below it the cosines of each pair.

    Args:
        plane: (P, 2) by what was done to the patches.
        landmark_P: of each patch.
        names: of the landmarks.
        cosines: (N, K) by name, the measured first; nan is left out.
        pairs: names of the K pairs.
    """
    height = 0.3 * len(pairs) + 1.0
    figure, panels = column([2.6] * len(plane) + [_legend_height(names), height])
    for axes, (what, places_P2) in zip(panels[:, 0], plane.items(), strict=False):
        scatter(axes, places_P2, landmark_P, names)
        titled(axes, what)
    _legend(panels[-2, 0], names)
    axes = panels[-1, 0]
    colours = landmark_styles(pairs)
    marks = dict(zip(cosines, ("o", "s", "x"), strict=False))
    for name, cosine_NK in cosines.items():
        is_measured = name == next(iter(cosines))
        for row in range(len(pairs)):
            values = cosine_NK[:, row][cosine_NK[:, row].isfinite()]
            if len(values):
                low, middle, high = angles(values.quantile(QUARTILES.to(values))).tolist()
                colour = colours[pairs[row]][0] if is_measured else MUTED
                place = row + 0.22 * (list(cosines).index(name) - 1)
                axes.plot([low, high], [place, place], color=colour, linewidth=2.2 if is_measured else 1.2)
                axes.plot([middle], [place], marker=marks[name], color=colour, markersize=5)
    cosine_axis(axes)
    axes.set(ylim=(len(pairs) - 0.4, -0.6), yticks=range(len(pairs)))
    axes.set_yticklabels([as_written(name.replace("_", " "), LETTERS) for name in pairs], fontsize=TEXT)
    axes.grid(axis="x", linewidth=0.4, alpha=0.5)
    handles = [
        Line2D([], [], color=MUTED if number else "black", marker=mark, linewidth=1.2, label=name)
        for number, (name, mark) in enumerate(marks.items())
    ]
    axes.legend(handles=handles, fontsize=TEXT, loc="upper center", bbox_to_anchor=(0.4, -0.3), ncols=3, frameon=False)
    titled(axes, "left patch and right patch", "cosine: median and middle half")
    return figure


def _legend_height(names: Sequence[str]) -> float:
    return 0.17 * ((len(names) + 1) // 2) + 0.1


def _legend(axes: Axes, names: Sequence[str]) -> None:
    axes.set_axis_off()
    handles = [
        Line2D([], [], linestyle="", marker=marker, color=colour, label=as_written(name.replace("_", " "), LETTERS))
        for name, (colour, marker) in landmark_styles(names).items()
    ]
    axes.legend(handles=handles, ncols=2, fontsize=TEXT, loc="center", frameon=False, handletextpad=0.2)
