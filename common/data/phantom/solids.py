"""Implicit solids: the one description of an organ that both a radiograph and a CT volume are made from.

A solid is a function of position, negative inside and roughly a distance in millimetres near its surface. Patient coordinates are
(z, y, x) in millimetres: z grows towards the feet (image rows), y towards the back (along the beam), x towards the patient's left
(image columns, as a radiograph is hung).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Array = np.ndarray
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
        best: Array | None = None
        points, radii = self.points.tolist(), self.radii.tolist()  # Python floats keep float32 arrays float32
        for (z0, y0, x0), (z1, y1, x1), r0, r1 in zip(points, points[1:], radii, radii[1:], strict=False):
            az, ay, ax = z1 - z0, y1 - y0, x1 - x0
            dz, dy, dx = z - z0, y - y0, x - x0
            share = np.clip((dz * az + dy * ay + dx * ax) / max(az * az + ay * ay + ax * ax, 1e-6), 0, 1)
            dz, dy, dx = dz - share * az, dy - share * ay, dx - share * ax
            distance = np.sqrt(dz * dz + dy * dy + dx * dx) - (r0 + share * (r1 - r0))
            best = distance if best is None else np.minimum(best, distance)
        if best is None:
            raise ValueError(f"a tube needs at least 2 points, got {len(self.points)}")
        return best


def ellipsoid(centre: Array, radii: Array, rotation: Array | None = None, power: float = 2.0) -> Solid:
    """An ellipsoid, or a box-like one when `power` is above 2.

    Args:
        centre: (z, y, x) in mm.
        radii: half axes in mm.
        rotation: (3, 3), rows are the directions of the half axes; None for the patient's own axes.
        power: exponent of the norm; 2 is an ellipsoid.
    """
    centre, radii = np.asarray(centre, float), np.asarray(radii, float)
    rows = np.eye(3) if rotation is None else np.asarray(rotation, float)
    scaled = (rows / radii[:, None]).tolist()
    (z0, y0, x0), size = centre.tolist(), float(radii.min())

    def value(z: Array, y: Array, x: Array) -> Array:
        dz, dy, dx = z - z0, y - y0, x - x0
        if rotation is None:
            parts = [dz * scaled[0][0], dy * scaled[1][1], dx * scaled[2][2]]
        else:
            parts = [row[0] * dz + row[1] * dy + row[2] * dx for row in scaled]
        if power == 2.0:
            norm = np.sqrt(parts[0] ** 2 + parts[1] ** 2 + parts[2] ** 2)
        else:
            norm = sum(np.abs(part) ** power for part in parts) ** (1 / power)
        return (norm - 1) * size

    reach = np.abs(rows.T) @ radii
    return Solid(value, _triple(centre - reach), _triple(centre + reach))


def union(*solids: Solid, blend: float = 0.0) -> Solid:
    """All points in any of the solids.

    Args:
        solids: at least one.
        blend: width in mm over which the seams are rounded (polynomial smooth minimum); 0 for sharp seams.
    """

    def value(z: Array, y: Array, x: Array) -> Array:
        total = solids[0].value(z, y, x)
        for solid in solids[1:]:
            other = solid.value(z, y, x)
            joined = np.minimum(total, other)
            if blend:
                joined = joined - np.maximum(blend - np.abs(total - other), 0) ** 2 / (4 * blend)
            total = joined
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
            total = np.maximum(total, -other.value(z, y, x))
        return total

    return Solid(value, first.low, first.high)


def _triple(values: Array) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
