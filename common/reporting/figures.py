"""Figures that several bundles draw; they are returned and never shown."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle
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
            _show(axes, view)
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


def views_figure(
    images_BCHW: Tensor, boxes: Mapping[str, Tensor], views: Mapping[str, Tensor], columns: int = 12
) -> Figure:
    """Draw images with the boxes that were cut from them, and beside each the views that were made of the boxes.

    A view whose name is a box's has the box's colour in its title; other views have a black title.

    Args:
        images_BCHW: uint8 in 0..255 or float in [0, 1], grey or RGB.
        boxes: by name, (B, 4) as top, left, bottom, right in pixels of the image.
        views: by name, (B, C, h, w) in [0, 1]; their sizes may differ.
        columns: at most so many views beside each image.

    Raises:
        ValueError: numbers of images, boxes or views do not agree.
    """
    count = len(images_BCHW)
    if any(len(item) != count for item in [*boxes.values(), *views.values()]):
        raise ValueError(f"there are {count} images; give as many boxes and views under each name")
    shown = dict(list(views.items())[:columns])
    colours = {name: f"C{number % 10}" for number, name in enumerate(boxes)}
    figure = Figure(figsize=(2 * (1 + len(shown)), 2.2 * count), layout="constrained")
    panels = figure.subplots(count, 1 + len(shown), squeeze=False)
    for row in range(count):
        _show(panels[row, 0], images_BCHW[row] / 255 if images_BCHW.dtype == torch.uint8 else images_BCHW[row])
        for name, boxes_B4 in boxes.items():
            top, left, bottom, right = boxes_B4[row].tolist()
            panels[row, 0].add_patch(
                Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colours[name], linewidth=1.5)
            )
        for axes, view in zip(panels[row, 1:], shown.values(), strict=True):
            _show(axes, view[row])
    panels[0, 0].set_title("image", fontsize=9)
    for axes, name in zip(panels[0, 1:], shown, strict=True):
        axes.set_title(name.replace("_", " "), fontsize=9, color=colours.get(name, "black"))
    return figure


def _show(axes: Axes, image_CHW: Tensor) -> None:
    height, width = image_CHW.shape[-2:]
    axes.imshow(_shown(image_CHW), cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
    axes.set_axis_off()
