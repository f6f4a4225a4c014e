"""Colours and lines by name, and names as a text of a figure.

The palette is Okabe and Ito's, which the colour-blind tell apart, without black and yellow: on radiographs and on paper
one of them vanishes. https://jfly.uni-koeln.de/color/
"""

import zlib
from collections.abc import Iterable, Sequence
from itertools import count
from typing import NamedTuple

from matplotlib.patheffects import AbstractPathEffect, withStroke

PALETTE = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#0072B2")
TEXT = 8  # points: the smallest text of any figure
HALO: list[AbstractPathEffect] = [withStroke(linewidth=2.6, foreground="black")]
"""Around a line on an image, which may be as bright or as dark as the line."""

FINDINGS = [
    "atelectasis",
    "cardiomegaly",
    "effusion",
    "infiltration",
    "mass",
    "nodule",
    "pneumonia",
    "pneumothorax",
]
FINDINGS += ["consolidation", "edema", "emphysema", "fibrosis", "pleural_thickening", "hernia"]
FAMILIES: Sequence[Sequence[str]] = (
    ("lung", "heart", "clavicle", "rib", "spine", "trachea"),
    FINDINGS,
    ("whole", "top_left", "top_right", "bottom_left", "bottom_right", "global", *(f"local{n}" for n in range(8))),
    ("teacher", "query", "key", "global1", "global0", "student", "part"),
    ("fine", "coarse"),
    ("view", "region"),
)
"""Names that stand together in a figure, each at a place of its own, so that neighbours differ in colour."""

PLACES = {name: place for family in FAMILIES for place, name in enumerate(family)}


class Style(NamedTuple):
    """Keywords of a line of matplotlib."""

    color: str
    linestyle: str | tuple[float, tuple[float, ...]]


def styles(names: Iterable[str]) -> dict[str, Style]:
    """A colour and a line for each name, no pair twice, whatever the order of the names.

    A name of `FAMILIES` has the same ones in every figure, however many others are in it. Any other has a colour that
    follows from its letters, and gives way to the next free one where another name of the figure has it. Once all
    colours are taken, they come again in dashes, then in dashes and dots.

    Args:
        names: of structures, findings, classes or crops; case, blanks and hyphens make no difference to known ones.

    Example:
        >>> styles(["heart", "lung"])["lung"]
        Style(color='#E69F00', linestyle='-')
    """
    given = sorted(set(names), key=lambda name: (PLACES.get(_key(name), len(PLACES)), name))
    placed: dict[int, str] = {}
    for name in given:
        placed[next(place for place in _wishes(name) if place not in placed)] = name
    return {name: _style(place) for place, name in placed.items()}


def series(number: int) -> list[Style]:
    """Styles of things that have no name of their own, such as runs beside each other; no pair twice."""
    return [_style(place) for place in range(number)]


def rare_style(place: int) -> Style:
    """Grey, in dashes of another length for each place: of what rests on too few cases to be read."""
    return Style("0.55", (0, (2.0 + 1.5 * place, 2.0)))


def as_written(name: str, longest: int = 36) -> str:
    r"""A name as a text of matplotlib, without its middle where it is longer than a legend has room for.

    What stands between two `$` is a formula to matplotlib, which fails on `$\x$`.
    """
    half = longest // 2
    short = name if len(name) <= longest else f"{name[: longest - half - 1]}…{name[-half:]}"
    return short.replace("$", r"\$")


def _key(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")


def _wishes(name: str) -> Iterable[int]:
    """Places in the order of preference: a known name's own, else the colour of its letters, then the next ones."""
    first = PLACES.get(_key(name))
    if first is not None:
        yield first
    start = zlib.crc32(name.encode()) if first is None else first
    colours = len(PALETTE)
    yield from (line * colours + (start + shift) % colours for line in count() for shift in range(colours))


def _style(place: int) -> Style:
    line, colour = divmod(place, len(PALETTE))
    return Style(PALETTE[colour], (0, (5.0, 2.0, *(1.0, 2.0) * (line - 1))) if line else "-")
