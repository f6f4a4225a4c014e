"""What the figures of all analyses have in common: one column of a page, in one style."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from common.figures import TEXT, Style, series, styles

WIDTH = 3.2  # inches: five stand beside each other on a screen
DPI = 200
MUTED = "0.6"  # what the measured is compared with
COSINES = (-1.0, -0.5, 0.0, 0.5, 0.9, 1.0)
_SIDES = re.compile(r"_?(left|right)$")


def column(heights: Sequence[float], panels: int = 1) -> tuple[Figure, np.ndarray]:
    """A figure as wide as a column, with rows of these heights in inches and so many panels in each."""
    figure = Figure(figsize=(WIDTH, sum(heights)), dpi=DPI, layout="constrained")
    axes = figure.subplots(len(heights), panels, squeeze=False, height_ratios=heights)
    for panel in axes.flat:
        panel.tick_params(labelsize=TEXT)
    return figure, axes


def cosine_axis(axes: Axes) -> None:
    """Horizontal axis of angles, named by their cosines: those of most encoders crowd at 1."""
    axes.set(xlim=(180, 0), xticks=angles(torch.tensor(COSINES)).tolist())
    axes.set_xticklabels([f"{cosine:g}" for cosine in COSINES], fontsize=TEXT)


def angles(cosines: Tensor) -> Tensor:
    """Degrees."""
    return cosines.clamp(-1, 1).acos().rad2deg()


def titled(axes: Axes, title: str, below: str = "") -> None:
    """Title and name of the horizontal axis, in the smallest text."""
    axes.set_title(title, fontsize=TEXT)
    axes.set_xlabel(below, fontsize=TEXT)


def picture(axes: Axes, image_CSS: Tensor, title: str = "") -> None:
    """An image, grey or in colour, whose axes are fractions of its sides."""
    pixels = image_CSS.float().cpu().movedim(0, -1).numpy()
    shown = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    axes.imshow(shown, cmap="gray", vmin=0, vmax=1, extent=(0, 1, 1, 0))
    axes.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(1, 0))
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=TEXT)


def landmark_styles(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each landmark: partners share a colour, and triangles point to their side.

    Example:
        >>> landmark_styles(["hilum_left", "hilum_right", "carina"])["hilum_left"][1]
        '>'
    """
    colours = _colours(dict.fromkeys(_SIDES.sub("", name) for name in names))
    # On a radiograph the patient's left is to the right.
    markers = {"left": ">", "right": "<"}
    found = {}
    for name in names:
        side = _SIDES.search(name)
        found[name] = colours[_SIDES.sub("", name)], markers[side[1]] if side else "o"
    return found


def _colours(names: Iterable[str]) -> dict[str, str]:
    given = list(names)
    known: dict[str, Style] = styles(given) if len(given) <= 6 else dict(zip(given, series(len(given)), strict=True))
    return {name: style.color for name, style in known.items()}
