"""The picture of predictions: outlines of truth and prediction on the image, and the Dice beneath."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from common.evaluation.segmentation import dice_iou, overlap_counts
from common.figures import HALO, TEXT, Style, as_written, example_panels, styles
from common.records import IGNORE

TRUTH = Style("white", (0, (4.0, 2.0)))
UNKNOWN = Style("#F0E442", ":")


def dice_of(item: Mapping[str, Any]) -> Tensor:
    """Dice (K,) of an item with `label` and `pred` (K, H, W); nan where a structure is not annotated."""
    return dice_iou(overlap_counts(item["pred"][None], item["label"][None]))[0][0]


def overlay_figure(items: Mapping[str, Sequence[Mapping[str, Any]]], structures: Sequence[str], title: str) -> Figure:
    """One column per kind of item, with its name above, and a panel per item.

    The truth is white and dashed, the prediction has the structure's own colour, and what nobody annotated is dotted.

    Args:
        items: by kind, each with `image` (C, H, W) in [0, 1], `label` and `pred` (K, H, W) and `source`.
        structures: names of the K channels.
        title: of the figure.
    """
    lines = styles(structures)
    figure, panels = example_panels(items, title)
    for axes, item in panels:
        _draw(axes, item, lines, structures)
    used = {"truth": TRUTH, **{f"{as_written(name, 24)}, predicted": lines[name] for name in structures}}
    if any((item["label"] == IGNORE).any() for chosen in items.values() for item in chosen):
        used["not annotated"] = UNKNOWN
    handles = [
        Line2D([], [], label=name, linewidth=1.6, path_effects=HALO, **style._asdict()) for name, style in used.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(items), fontsize=TEXT)
    return figure


def _draw(axes: Axes, item: Mapping[str, Any], lines: Mapping[str, Style], structures: Sequence[str]) -> None:
    axes.imshow(item["image"].float().mean(0).cpu(), cmap="gray", vmin=0, vmax=1)
    for k, name in enumerate(structures):
        truth_HW, predicted_HW = item["label"][k].cpu(), item["pred"][k].cpu()
        _outline(axes, np.asarray(truth_HW == 1), TRUTH)
        _outline(axes, np.asarray(truth_HW == IGNORE), UNKNOWN)
        _outline(axes, np.asarray(predicted_HW > 0.5), lines[name])
    dice_K = dice_of(item).tolist()
    scores = [f"{as_written(name, 18)} {dice:.2f}" for name, dice in zip(structures, dice_K, strict=True)]
    each = 3  # scores in a line
    below = "\n".join("  ".join(scores[first : first + each]) for first in range(0, len(scores), each))
    axes.set_xlabel(f"{as_written(Path(item['source']).name, 40)}\nDice: {below}", fontsize=TEXT)


def _outline(axes: Axes, mask_HW: np.ndarray, style: Style) -> None:
    if mask_HW.any() and not mask_HW.all():  # matplotlib warns when there is no outline to draw
        drawn = axes.contour(mask_HW, levels=[0.5], colors=style.color, linestyles=[style.linestyle], linewidths=1.1)
        drawn.set_path_effects(HALO)
