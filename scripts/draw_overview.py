"""Draw the picture at the top of the README from phantom images: `python scripts/draw_overview.py --out overview.png`.

Four panels: two overlapping crops of a radiograph, as ACE takes them, then what the tasks look for. All that is drawn
is the phantom's truth, and no network's answer. The figure is the same every time.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.ndimage import distance_transform_edt, label

from common.figures import HALO, example_panels, styles
from common.phantom import STRUCTURES, Radiograph, make_radiograph
from common.phantom.ct import NAMES, PhantomCT, make_abdomen

LARGE = 14  # points: nearly as many pixels where a page shows the figure 800 pixels wide
INSIDE = 0.08  # of the image: half the width that a structure needs to bear its name
WINDOW = (-110.0, 210.0)  # Hounsfield units, of soft tissue
ORGANS = {"liver": ["liver"], "spleen": ["spleen"], "kidney": ["kidney_left", "kidney_right"]}
COLOURS = styles([*STRUCTURES, *ORGANS])
CROPS = {"coarse": (0.06, 0.06, 0.88, 0.88), "fine": (0.22, 0.48, 0.64, 0.90)}  # top, left, bottom, right as fractions
PANELS = {
    "Pre-train": "without labels: crops agree\nwhere they overlap",
    "Segment": "organs and bones\n",
    "Find": "landmarks, lesions\nand diseases",
    "Diagnose CT": "organ masks help to train,\ninference needs none",
}


def overview() -> Figure:
    """The figure."""
    films = [make_radiograph(0, patient, follow_up=0, size=256) for patient in (9, 11, 14)]
    figure, panels = example_panels({kind: [{}] for kind in PANELS}, "")
    draw: Sequence[Any] = (_crops, _structures, _places)
    for (axes, _), film, fill in zip(panels, films, draw, strict=False):
        axes.imshow(film.image, cmap="gray", vmin=0, vmax=255)
        fill(axes, film)
    _organs(panels[3][0], make_abdomen(0, 3, size=160, thickness=5.0))
    for (axes, _), caption in zip(panels, PANELS.values(), strict=True):
        axes.set_title(axes.get_title(), fontsize=LARGE + 3, fontweight="bold")
        axes.set_xlabel(caption, fontsize=LARGE)
    figure.suptitle("What is drawn is the truth of simulated patients", fontsize=LARGE)
    return figure


def _crops(axes: Axes, film: Radiograph) -> None:
    for name, edges in CROPS.items():
        _frame(axes, np.array(edges) * len(film.image), name, f"{name} crop")


def _structures(axes: Axes, film: Radiograph) -> None:
    for name in STRUCTURES:
        others = np.any([mask for other, mask in film.masks.items() if other != name], axis=0)
        _shape(axes, film.masks[name], name, hidden_HW=others if name == "lung" else None)


def _places(axes: Axes, film: Radiograph) -> None:
    size = len(film.image)
    rows, cols = np.array(list(film.landmarks.values())).T * size - 0.5
    axes.plot(cols, rows, "+", color="white", markersize=10, markeredgewidth=2, path_effects=HALO)
    for box in film.boxes:
        if box.present:
            edges = np.array((box.top, box.left, box.bottom, box.right)) * size
            _frame(axes, edges, box.finding, box.finding.lower())


def _organs(axes: Axes, volume: PhantomCT) -> None:
    """The slice that shows most of the organ it shows least of."""
    masks = {name: np.isin(volume.labels, [NAMES.index(part) for part in parts]) for name, parts in ORGANS.items()}
    chosen = int(np.argmax(np.min([mask.sum((1, 2)) for mask in masks.values()], axis=0)))
    axes.imshow(volume.hounsfield[chosen], cmap="gray", vmin=WINDOW[0], vmax=WINDOW[1])
    for name, mask in masks.items():
        _shape(axes, mask[chosen], name)
    body = np.argwhere(volume.hounsfield[chosen] > WINDOW[0])
    (row, col), half = (body.min(0) + body.max(0)) / 2, np.ptp(body, axis=0).max() / 2 + 4
    axes.set(xlim=(col - half, col + half), ylim=(row + half, row - half))


def _shape(axes: Axes, mask_HW: np.ndarray, name: str, hidden_HW: np.ndarray | None = None) -> None:
    """A structure, and its name where there is room for it: inside and beside what hides it, or below its left part."""
    colour = COLOURS[name].color
    axes.contourf(mask_HW, levels=[0.5, 1.5], colors=[colour], alpha=0.3)
    axes.contour(mask_HW, levels=[0.5], colors=[colour], linewidths=2).set_path_effects(HALO)
    depth_HW = distance_transform_edt(np.pad(mask_HW if hidden_HW is None else mask_HW & ~hidden_HW, 1))[1:-1, 1:-1]
    if depth_HW.max() > INSIDE * len(mask_HW):
        row, col = np.unravel_index(depth_HW.argmax(), depth_HW.shape)
        _name(axes, row, col, name, colour, ha="center", va="center")
        return
    parts, count = label(mask_HW)
    left = min((np.argwhere(parts == part) for part in range(1, count + 1)), key=lambda spots: spots[:, 1].mean())
    _name(axes, left[:, 0].max() + 1, left[:, 1].mean(), name, colour, ha="center", va="top")


def _frame(axes: Axes, edges: np.ndarray, name: str, told: str) -> None:
    top, left, bottom, right = edges
    style = styles([name])[name]
    drawn = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, linewidth=2.6, color=style.color)
    axes.add_patch(drawn).set_path_effects(HALO)
    _name(axes, bottom + 1, left + 1, told, style.color, va="top")


def _name(axes: Axes, row: float, col: float, told: str, colour: str, **place: Any) -> None:
    plate = {"facecolor": colour, "edgecolor": "none", "pad": 1.5}
    axes.text(col, row, told, color="black", fontsize=LARGE, bbox=plate, clip_on=True, **place)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("overview.png"), help="PNG, PDF or SVG")
    out = parser.parse_args(words).out
    overview().savefig(out, dpi=100)
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
