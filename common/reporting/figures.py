"""Figures that several bundles draw; they are returned and never shown."""

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Polygon
from torch import Tensor

from ..figures import HALO, TEXT, Style, outline, series, styles

WIDTH = 9.0  # inches: of a page, so that the text keeps its size


def matches_figure(
    images_BCHW: Tensor,
    boxes: Mapping[str, Tensor],
    views: Mapping[str, Tensor],
    points: Sequence[Sequence[Tensor]],
    lines: int = 8,
) -> Figure:
    """Draw images with two boxes, the views that were made of them, and points that show the same place in both views.

    Args:
        images_BCHW: uint8 in 0..255 or float in [0, 1], grey or RGB.
        boxes: of the two views by name, (B, 4) as top, left, bottom, right in pixels of the image.
        views: the two views by name, in [0, 1]; their sizes may differ.
        points: for either view and each image, (row, col) in pixels of the view, shape (M, 2); those of the first view
            in the order of those of the second. Pixel centres lie at +0.5.
        lines: at most so many pairs per image, spread over the list.

    Raises:
        ValueError: numbers of images, boxes, views or points do not agree.
    """
    count = len(images_BCHW)
    outlines = {name: [outline(box_4) for box_4 in boxes[name]] for name in views}
    if len(views) != 2 or any(len(item) != count for item in [*views.values(), *points]):
        raise ValueError(f"there are {count} images; give two views of each, and a list of points for each view")
    figure = views_figure(images_BCHW, outlines, views, height=2.9)
    panels = np.reshape(np.array(figure.axes, dtype=object), (count, 3))
    for row, (left_M2, right_M2) in enumerate(zip(*points, strict=True)):
        _connect(panels[row, 1:], left_M2, right_M2, lines)
    return figure


def _connect(panels: np.ndarray, left: Tensor, right: Tensor, lines: int) -> None:
    if left.shape != right.shape or left.shape[-1:] != (2,):
        raise ValueError(f"points are {tuple(left.shape)} and {tuple(right.shape)}; both must be (M, 2)")
    chosen = np.unique(np.linspace(0, len(left) - 1, min(lines, len(left))).round().astype(int))
    for index, style in zip(chosen, series(len(chosen)), strict=True):
        # matplotlib has (x, y), which is (col, row)
        ends = [(float(points[index, 1]), float(points[index, 0])) for points in (left, right)]
        line = ConnectionPatch(ends[0], ends[1], "data", "data", axesA=panels[0], axesB=panels[1], linewidth=1.0)
        line.set(path_effects=HALO, **style._asdict())
        panels[0].figure.add_artist(line)
        for axes, (col, row) in zip(panels, ends, strict=True):
            axes.plot(col, row, "o", color=style.color, markersize=4, markeredgecolor="black", markeredgewidth=0.6)


def views_figure(
    images_BCHW: Tensor,
    outlines: Mapping[str, Sequence[Tensor]],
    views: Mapping[str, Tensor],
    notes: Mapping[str, Sequence[str]] | None = None,
    columns: int = 6,
    height: float = 1.9,
) -> Figure:
    """Draw images with the parts that views were made of, and beside them the views, each framed as its part.

    More views than columns go into several rows, each with the image and the parts of its own views alone.

    Args:
        images_BCHW: uint8 in 0..255 or float in [0, 1], grey or RGB.
        outlines: by name, for each image the corners (P, 2) of a part as (row, col) in pixels of the image. A part
            without a view is drawn in every row.
        views: by name, (B, C, h, w) in [0, 1]; their sizes may differ. A part's view bears its name.
        notes: by a view's name, for each image what is to be known of it, such as that it is mirrored.
        columns: at most so many views in a row.
        height: of a row in inches, at most; panels are as wide as the page allows.

    Raises:
        ValueError: numbers of images, parts, views or notes do not agree.
    """
    count, notes = len(images_BCHW), notes or {}
    if any(len(item) != count for part in (outlines, views, notes) for item in part.values()):
        raise ValueError(f"there are {count} images; give as many parts, views and notes under each name")
    lines = styles([*outlines, *views])
    rows = _rows(
        [name for name in outlines if name in views] + [name for name in views if name not in outlines], columns
    )
    width = max(len(row) for row in rows)
    texts = [note.split("\n") for words in notes.values() for note in words]
    broadest = 0.066 * max((len(line) for text in texts for line in text), default=0)  # inches of the smallest text
    side = min(max(height, broadest), WIDTH / (1 + width))
    above = 0.2 + 0.15 * max(map(len, texts), default=0)
    figure = Figure(figsize=(side * (1 + width), (side + above) * count * len(rows)), layout="constrained")
    panels = figure.subplots(count * len(rows), 1 + width, squeeze=False)
    alone = [name for name in outlines if name not in views]
    for index, (source, *beside) in enumerate(panels):
        image, names = index // len(rows), rows[index % len(rows)]
        shown = images_BCHW[image]
        _show(source, shown / 255 if shown.dtype == torch.uint8 else shown, "image" + "".join(f", {n}" for n in alone))
        for name in [*alone, *(name for name in names if name in outlines)]:
            _outline(source, outlines[name][image], lines[name])
        for axes, name in zip(beside, names, strict=False):
            note = f"\n{notes[name][image]}" if name in notes else ""
            _show(axes, views[name][image], name.replace("_", " ") + note)
            if name in outlines:
                axes.spines[:].set(visible=True, linewidth=2, **lines[name]._asdict())
        for axes in beside[len(names) :]:
            axes.set_axis_off()
    return figure


def _rows(names: list[str], columns: int) -> list[list[str]]:
    """Names in as few rows as there must be, of nearly equal length."""
    each = ceil(len(names) / ceil(len(names) / columns))
    return [names[start : start + each] for start in range(0, len(names), each)]


def _outline(axes: Axes, corners_P2: Tensor, line: Style) -> None:
    xy = corners_P2.flip(1).tolist()  # matplotlib has (x, y), which is (col, row)
    axes.add_patch(Polygon(xy, fill=False, linewidth=1.4, path_effects=HALO, **line._asdict()))


def _show(axes: Axes, image_CHW: Tensor, title: str) -> None:
    height, width = image_CHW.shape[-2:]
    image_HWC = image_CHW.detach().float().cpu().clamp(0, 1).permute(1, 2, 0).numpy()
    pixels = image_HWC[..., 0] if image_HWC.shape[-1] == 1 else image_HWC
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=TEXT)
