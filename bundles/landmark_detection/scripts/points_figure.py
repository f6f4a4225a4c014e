"""The picture of predictions: true and predicted landmarks on the image, joined, and the error beneath."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from common.figures import HALO, TEXT, as_written, example_panels

TRUTH: dict[str, Any] = {"color": "white", "marker": "+", "markersize": 7, "markeredgewidth": 1.4}
PREDICTED: dict[str, Any] = {
    "color": "#E69F00",
    "marker": "o",
    "markersize": 4.5,
    "markerfacecolor": "none",
    "markeredgewidth": 1.3,
}


def errors_of(item: Mapping[str, Any]) -> Tensor:
    """Distances (L,) in pixels of the network's input of an item with `label` and `pred`; nan where it is unknown."""
    return (item["pred"][0].cpu() - _true_points(item)).norm(dim=-1)


def points_figure(items: Mapping[str, Sequence[Mapping[str, Any]]], landmarks: Sequence[str], title: str) -> Figure:
    """One column per kind of item, with its name above, and a panel per item.

    Args:
        items: by kind, each with `image` (C, H, W) in [0, 1], `label` (L, 2) as fractions, `pred` (1, L, 2) in pixels
            of the image, and `source`.
        landmarks: names of the points; the farthest off is named below a panel.
        title: of the figure.
    """
    figure, panels = example_panels(items, title)
    for axes, item in panels:
        _draw(axes, item, landmarks)
    handles = [
        Line2D([], [], label=name, linestyle="", path_effects=HALO, **style)
        for name, style in (("truth", TRUTH), ("predicted", PREDICTED))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=TEXT)
    return figure


def _draw(axes: Axes, item: Mapping[str, Any], landmarks: Sequence[str]) -> None:
    axes.imshow(item["image"].float().mean(0).cpu(), cmap="gray", vmin=0, vmax=1)
    axes.set_autoscale_on(False)
    true_L2, predicted_L2 = _true_points(item), item["pred"][0].cpu()
    for (row, col), (found_row, found_col) in zip(true_L2.tolist(), predicted_L2.tolist(), strict=True):
        axes.plot([col, found_col], [row, found_row], color=PREDICTED["color"], linewidth=1)
    for points_L2, style in ((true_L2, TRUTH), (predicted_L2, PREDICTED)):
        axes.plot(points_L2[:, 1], points_L2[:, 0], linestyle="", path_effects=HALO, **style)
    error_L = errors_of(item)
    known = error_L.isfinite()
    farthest = int(error_L.nan_to_num(-1).argmax())
    told = f"mean {error_L[known].mean():.1f}, {as_written(landmarks[farthest], 24)} {error_L[farthest]:.1f}"
    axes.set_xlabel(f"{as_written(Path(item['source']).name, 40)}\nerror: {told}", fontsize=TEXT)


def _true_points(item: Mapping[str, Any]) -> Tensor:
    size = item["label"].new_tensor(item["image"].shape[-2:])
    return (item["label"] * size - 0.5).cpu()
