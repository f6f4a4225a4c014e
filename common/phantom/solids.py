"""Implicit solids: the one description of an organ that both a radiograph and a CT volume are made from.

A solid is a function of position, negative inside and roughly a distance in millimetres near its surface. Patient
coordinates are (z, y, x) in millimetres: z grows towards the feet (image rows), y towards the back (along the beam), x
towards the patient's left (image columns, as a radiograph is hung).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray
MARGIN = 8.0  # mm around a solid's box within which its value is worth computing: surfaces are softened over a few mm
FAR = 1e3  # stands for "outside, and not near"
Value = Callable[[Array, Array, Array], Array]


@dataclass(frozen=True)
class Solid:
    """A function that is negative inside, with a box that holds the whole solid.

    Args:
        value: takes z, y, x in mm (arrays that broadcast), returns roughly the distance to the surface in mm.
        low: smallest (z, y, x) in mm.
        high: largest (z, y, x) in mm.
    """

    value: Value
    low: tuple[float, float, float]
    high: tuple[float, float, float]


@dataclass(frozen=True)
class Tube:
    """A round tube along a polyline: ribs, clavicles, vessels, airways.

    Args:
        points: (N, 3) positions (z, y, x) in mm.
        radii: (N,) radius in mm at each point.
    """

    points: Array
    radii: Array
    solid: Solid = field(init=False)

    def __post_init__(self) -> None:
        reach = float(self.radii.max())
        low, high = self.points.min(0) - reach, self.points.max(0) + reach
        object.__setattr__(self, "solid", Solid(self._value, _triple(low), _triple(high)))

    def _value(self, z: Array, y: Array, x: Array) -> Array:
        points, radii = self.points.tolist(), self.radii.tolist()  # Python floats keep float32 arrays float32
        best = np.full(np.broadcast_shapes(z.shape, y.shape, x.shape), FAR, dtype=z.dtype)
        for (z0, y0, x0), (z1, y1, x1), r0, r1 in zip(points, points[1:], radii, radii[1:], strict=False):
            reach = max(r0, r1)
            low = (min(z0, z1) - reach, min(y0, y1) - reach, min(x0, x1) - reach)
            high = (max(z0, z1) + reach, max(y0, y1) + reach, max(x0, x1) + reach)
            near = nearby(z, y, x, low, high)
            if near is None:
                continue
            az, ay, ax = z1 - z0, y1 - y0, x1 - x0
            dz, dy, dx = z[near] - z0, y[near] - y0, x[near] - x0
            share = np.clip((dz * az + dy * ay + dx * ax) / max(az * az + ay * ay + ax * ax, 1e-6), 0, 1)
            dz, dy, dx = dz - share * az, dy - share * ay, dx - share * ax
            distance = np.sqrt(dz * dz + dy * dy + dx * dx) - (r0 + share * (r1 - r0))
            best[near] = np.minimum(best[near], distance)
        return best


def ellipsoid(centre: ArrayLike, radii: ArrayLike, rotation: Array | None = None) -> Solid:
    """An ellipsoid.

    Args:
        centre: (z, y, x) in mm.
        radii: half axes in mm.
        rotation: (3, 3), rows are the directions of the half axes; None for the patient's own axes.
    """
    middle, half = np.asarray(centre, float), np.asarray(radii, float)
    rows = np.eye(3) if rotation is None else np.asarray(rotation, float)
    scaled = (rows / half[:, None]).tolist()
    (z0, y0, x0), size = middle.tolist(), float(half.min())

    def value(z: Array, y: Array, x: Array) -> Array:
        dz, dy, dx = z - z0, y - y0, x - x0
        if rotation is None:
            parts = [dz * scaled[0][0], dy * scaled[1][1], dx * scaled[2][2]]
        else:
            parts = [row[0] * dz + row[1] * dy + row[2] * dx for row in scaled]
        norm = np.sqrt(parts[0] ** 2 + parts[1] ** 2 + parts[2] ** 2)
        return (norm - 1) * size

    reach = np.abs(rows.T) @ half
    return Solid(value, _triple(middle - reach), _triple(middle + reach))


def union(*solids: Solid, blend: float = 0.0) -> Solid:
    """All points in any of the solids.

    Args:
        solids: at least one.
        blend: width in mm over which the seams are rounded (polynomial smooth minimum); 0 for sharp seams.
    """

    def value(z: Array, y: Array, x: Array) -> Array:
        total = np.full(np.broadcast_shapes(z.shape, y.shape, x.shape), FAR, dtype=z.dtype)
        for solid in solids:
            near = nearby(z, y, x, solid.low, solid.high, MARGIN + blend)
            if near is None:
                continue
            before, other = total[near], solid.value(z[near], y[near], x[near])
            joined = np.minimum(before, other)
            if blend:
                joined -= np.maximum(blend - np.abs(before - other), 0) ** 2 / (4 * blend)
            total[near] = joined
        return total

    low = np.min([solid.low for solid in solids], axis=0) - blend / 4
    high = np.max([solid.high for solid in solids], axis=0) + blend / 4
    return Solid(value, _triple(low), _triple(high))


def intersection(first: Solid, *others: Solid) -> Solid:
    """All points in every solid; the box is the overlap of the boxes."""

    def value(z: Array, y: Array, x: Array) -> Array:
        total = first.value(z, y, x)
        for other in others:
            total = np.maximum(total, other.value(z, y, x))
        return total

    low = np.max([solid.low for solid in (first, *others)], axis=0)
    high = np.min([solid.high for solid in (first, *others)], axis=0)
    return Solid(value, _triple(low), _triple(np.maximum(high, low + 1e-3)))


def difference(first: Solid, *others: Solid) -> Solid:
    """All points of the first solid that are in none of the others."""

    def value(z: Array, y: Array, x: Array) -> Array:
        total = first.value(z, y, x)
        for other in others:
            near = nearby(z, y, x, other.low, other.high)
            if near is not None:
                total[near] = np.maximum(total[near], -other.value(z[near], y[near], x[near]))
        return total

    return Solid(value, first.low, first.high)


def nearby(
    z: Array, y: Array, x: Array, low: tuple[float, ...], high: tuple[float, ...], margin: float = MARGIN
) -> tuple[slice, ...] | None:
    """The part of a 3D grid of points that can meet a box: most of the work is saved by leaving out the rest.

    The grid may be turned or fanned out, but each coordinate must be monotone along each axis, so that the corners tell
    the range. Anything but three full 3D arrays is taken whole; None when nothing is near.
    """
    if z.ndim != 3 or not z.shape == y.shape == x.shape:
        return (slice(None),) * z.ndim
    for coordinate, small, large in zip((z, y, x), low, high, strict=True):
        item = coordinate.item
        depth, height, width = (n - 1 for n in coordinate.shape)
        values = [item(d, h, w) for d in (0, depth) for h in (0, height) for w in (0, width)]
        if max(values) < small - margin or min(values) > large + margin:
            return None
    bottom, top = np.array(low)[:, None] - margin, np.array(high)[:, None] + margin
    cuts = []
    for edges in _EDGES:
        corners = np.array([[c[edge] for edge in edges] for c in (z, y, x)])
        where = np.flatnonzero(((corners.max(1) >= bottom) & (corners.min(1) <= top)).all(0))
        if not len(where):
            return None
        cuts.append(slice(int(where[0]), int(where[-1]) + 1))
    return tuple(cuts)


_ENDS = ((0, 0), (0, -1), (-1, 0), (-1, -1))
_EDGES = (
    [np.s_[:, e, f] for e, f in _ENDS],
    [np.s_[e, :, f] for e, f in _ENDS],
    [np.s_[e, f, :] for e, f in _ENDS],
)


def _triple(values: Array) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
