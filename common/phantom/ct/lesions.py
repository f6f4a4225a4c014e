"""Shapes and places that the findings of chest and abdomen share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from ..anatomy import Form
from ..solids import Array, Solid, ellipsoid, intersection, union
from .layers import Layer
from .torso import inside_cage

TRIES = 6000


class Candidate(NamedTuple):
    """A finding that may be present, and what stands in for it where it is not.

    Both have the same size and brightness and are always one or the other, so the brightness of a whole volume says
    nothing: only the place does.

    Args:
        real: layers at the place that makes it a finding.
        mimic: layers at a place that does not.
    """

    real: tuple[Layer, ...]
    mimic: tuple[Layer, ...]


def draw_presence(
    prevalence: Mapping[str, float], lasting: Iterable[str], patient: np.random.Generator, scan: np.random.Generator
) -> frozenset[str]:
    """Which findings are present.

    Args:
        prevalence: share by name.
        lasting: names of those that all scans of a patient share.
        patient: random stream of the patient; drawn from for every finding, so that findings stay independent.
        scan: random stream of the scan.
    """
    stays = frozenset(lasting)
    drawn = {name: (scan.random(), patient.random())[name in stays] for name in prevalence}
    return frozenset(name for name, value in drawn.items() if value < prevalence[name])


def points_inside(solid: Solid, rng: np.random.Generator, count: int = TRIES) -> Array:
    """Uniform points (N, 3) of a solid, N at most `count`."""
    spots = rng.uniform(solid.low, solid.high, (count, 3))
    return spots[solid.value(*spots.T) < 0]


def volume_of(solid: Solid, rng: np.random.Generator) -> float:
    """A solid's volume in mm3, within a few per cent."""
    return float(np.prod(np.array(solid.high) - np.array(solid.low))) * len(points_inside(solid, rng)) / TRIES


def spot_inside(solid: Solid, rng: np.random.Generator, margin: float) -> Array:
    """A point (z, y, x) at least `margin` mm below a solid's surface, or the deepest one found where there is none."""
    spots = rng.uniform(solid.low, solid.high, (TRIES, 3))
    depth = -solid.value(*spots.T)
    deep = np.flatnonzero(depth > margin)
    return spots[deep[0] if len(deep) else int(depth.argmax())]


def wall_spot(form: Form, rng: np.random.Generator, levels: tuple[float, float], size: float) -> Array:
    """A point (z, y, x) in the fat under the skin, to the side or at the back."""
    z = form.level(float(rng.uniform(*levels)))
    half_width, half_depth, middle = (float(v) for v in form.cage(np.array(z)))
    angle = float(rng.uniform(-0.3, 0.7)) * float(np.pi / 2)  # from the side, towards the back
    out = 1 + (5 + 0.2 * form.wall + size) / half_width
    side = float(rng.choice([-1, 1]))
    return np.array([z, middle + out * half_depth * np.sin(angle), side * out * half_width * np.cos(angle)])


def in_wall(shape: Solid, form: Form, body: Solid) -> Solid:
    """The part of a shape between ribs and skin."""
    inner = inside_cage(form, -2.0)
    outside = Solid(lambda z, y, x: -inner.value(z, y, x), shape.low, shape.high)
    below_skin = Solid(lambda z, y, x: body.value(z, y, x) + 3, shape.low, shape.high)
    return intersection(shape, outside, below_skin)


def cluster(centre: Array, size: float, rng: np.random.Generator, count: int, spread: float) -> Solid:
    """Overlapping ellipsoids: the first at the centre, the others `spread` sizes around it."""
    parts = []
    for number in range(count):
        offset = rng.normal(0, spread * size, 3) if number else np.zeros(3)
        parts.append(ellipsoid(centre + offset, size * rng.uniform(0.75, 1.2, 3)))
    return union(*parts, blend=0.3 * size) if count > 1 else parts[0]


def moved(shape: Solid, by: Array) -> Solid:
    """The same shape elsewhere; `by` is (z, y, x) in mm."""
    dz, dy, dx = (float(v) for v in by)
    low, high = np.array(shape.low) + by, np.array(shape.high) + by
    corners = [(float(z), float(y), float(x)) for z, y, x in (low, high)]
    return Solid(lambda z, y, x: shape.value(z - dz, y - dy, x - dx), corners[0], corners[1])
