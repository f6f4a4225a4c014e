"""The picture of detections: rectangles of truth and of what was found, with scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from common.figures import HALO, TEXT, Style, as_written, example_panels, styles

TRUTH = Style("white", (0, (4.0, 2.0)))
MORE = 2  # detections drawn beyond the number of boxes; hundreds would hide the picture


def overlay_figure(items: Mapping[str, Sequence[Mapping[str, Any]]], findings: Sequence[str], title: str) -> Figure:
    """One column per kind of item, with its name above, and a panel per item.

    Boxes are white and dashed, detections have their finding's colour and their score beside them; of the latter the
    most certain are drawn, two more than there are boxes.

    Args:
        items: by kind, each with `image` (C, H, W) in [0, 1], `label` (M, 5) and `pred` (D, 6) in its pixels, `source`.
        findings: names by their numbers.
        title: of the figure.
    """
    lines = styles(findings)
    figure, panels = example_panels(items, title)
    seen: set[str] = set()
    for axes, item in panels:
        seen |= _draw(axes, item, lines, findings)
    used = {"truth": TRUTH, **{f"{as_written(name, 24)}, detected": lines[name] for name in findings if name in seen}}
    handles = [
        Line2D([], [], label=name, linewidth=1.6, path_effects=HALO, **style._asdict()) for name, style in used.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(items), fontsize=TEXT)
    return figure


def _draw(axes: Axes, item: Mapping[str, Any], lines: Mapping[str, Style], findings: Sequence[str]) -> set[str]:
    """The findings that were drawn as detected."""
    image_HW = item["image"].float().mean(0).cpu()
    axes.imshow(image_HW, cmap="gray", vmin=0, vmax=1)
    boxes = [row for row in item["label"].tolist() if row[4] >= 0]
    detected = item["pred"].tolist()[: len(boxes) + MORE]
    for *edges, score, number in reversed(detected):  # the most certain on top
        style = lines[findings[int(number)]]
        _rectangle(axes, edges, style)
        row, col = max(edges[0], image_HW.shape[0] * 0.06), max(edges[1], 0.0)
        plate = {"facecolor": style.color, "edgecolor": "none", "pad": 0.8}
        axes.text(col, row, f"{score:.2f}", color="black", fontsize=TEXT, va="bottom", bbox=plate, clip_on=True)
    for *edges, _ in boxes:
        _rectangle(axes, edges, TRUTH)
    true = ", ".join(sorted({findings[int(row[4])] for row in boxes}))
    axes.set_xlabel(f"{as_written(Path(item['source']).name, 40)}\n{as_written(true, 40)}", fontsize=TEXT)
    return {findings[int(row[5])] for row in detected}


def _rectangle(axes: Axes, edges: Sequence[float], style: Style) -> None:
    top, left, bottom, right = edges
    place = (left - 0.5, top - 0.5)  # a pixel's centre is whole to matplotlib, its edge is to us
    drawn = Rectangle(place, right - left, bottom - top, fill=False, linewidth=1.3, **style._asdict())
    drawn.set_path_effects(HALO)
    axes.add_patch(drawn)
