"""Figures that several bundles draw; they are returned and never shown."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from torch import Tensor


def matches_figure(
    left_BCHW: Tensor,
    right_BCHW: Tensor,
    left_points: Sequence[Tensor],
    right_points: Sequence[Tensor],
    titles: tuple[str, str] = ("", ""),
    lines: int = 12,
) -> Figure:
    """Draw pairs of views and the points that show the same place in both.

    Args:
        left_BCHW: views in [0, 1], grey or RGB.
        right_BCHW: the other views of the same B images; their size may differ.
        left_points: for each image, (row, col) in pixels of the left view, shape (M, 2); pixel centres lie at +0.5.
        right_points: likewise in the right view, in the same order.
        titles: of the two columns.
        lines: at most so many pairs per image, spread over the list.

    Raises:
        ValueError: numbers of views or points do not agree.
    """
    count = len(left_BCHW)
    if not count == len(right_BCHW) == len(left_points) == len(right_points):
        raise ValueError("left and right must have as many views, and a list of points for each")
    figure = Figure(figsize=(6, 3 * count), layout="constrained")
    panels = figure.subplots(count, 2, squeeze=False)
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title)
    for row, views in enumerate(zip(left_BCHW, right_BCHW, strict=True)):
        for axes, view in zip(panels[row], views, strict=True):
            height, width = view.shape[-2:]
            axes.imshow(_shown(view), cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
            axes.set_axis_off()
        _connect(panels[row], left_points[row], right_points[row], lines)
    return figure


def _connect(panels: np.ndarray, left: Tensor, right: Tensor, lines: int) -> None:
    if left.shape != right.shape or left.shape[-1:] != (2,):
        raise ValueError(f"points are {tuple(left.shape)} and {tuple(right.shape)}; both must be (M, 2)")
    chosen = np.unique(np.linspace(0, len(left) - 1, min(lines, len(left))).round().astype(int))
    for number, index in enumerate(chosen):
        colour = f"C{number % 10}"
        # matplotlib has (x, y), which is (col, row)
        ends = [(float(points[index, 1]), float(points[index, 0])) for points in (left, right)]
        line = ConnectionPatch(
            ends[0], ends[1], "data", "data", axesA=panels[0], axesB=panels[1], color=colour, linewidth=0.8, alpha=0.8
        )
        panels[0].figure.add_artist(line)
        for axes, (col, row) in zip(panels, ends, strict=True):
            axes.plot(col, row, "o", color=colour, markersize=3)


def _shown(view_CHW: Tensor) -> np.ndarray:
    view_HWC = view_CHW.detach().float().cpu().clamp(0, 1).permute(1, 2, 0).numpy()
    return view_HWC[..., 0] if view_HWC.shape[-1] == 1 else view_HWC
