"""Airways, and the branching vessels that give the lungs their texture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .anatomy import SIDES, Form
from .solids import Array, Solid, Tube


def airways(form: Form) -> dict[str, Tube]:
    """Trachea and main bronchi, filled with air."""
    carina = form.level(0.36)
    trachea = np.array(
        [(form.apex - 90, -12, 0), (form.level(0.05), 4, 0), (form.level(0.25), 10, 2), (carina, 10, 0)], float
    )
    right = np.array([(carina, 10, 0), (carina + 22, 8, -20), (carina + 34, 6, -34)], float)
    left = np.array([(carina, 10, 0), (carina + 20, 10, 24), (carina + 30, 10, 44)], float)
    return {
        "trachea": Tube(trachea, np.full(4, 8.5)),
        "bronchus_right": Tube(right, np.array([7.0, 6.5, 5.5])),
        "bronchus_left": Tube(left, np.array([6.5, 5.5, 5.0])),
    }


def lung_vessels(form: Form, lungs: dict[str, Solid], generations: int = 6) -> list[Tube]:
    """Grow a tree from each hilum towards the pleura; the same form always grows the same tree.

    Returns:
        Tubes of two segments each, thinnest last, wholly inside the lung (the first ones start in the hilum).
    """
    rng = np.random.default_rng([form.seed, 3])
    tubes: list[Tube] = []
    for name, side in SIDES.items():
        hilum = np.array([form.level(form.hilum_share) + 4, 4.0, side * 30.0])
        scale = form.lung_height / 250
        # Vessels leave the hilum in all directions of the lung, most of them downwards.
        starts = [(-1.2, 0.0), (-0.75, 0.5), (-0.3, -0.5), (0.1, 0.6), (0.5, -0.4), (0.8, 0.4), (1.1, 0.0), (1.35, 0.5)]
        twigs = []
        for angle, depth in starts:
            angle = angle + rng.normal(0, 0.12)
            heading = np.array([np.sin(angle), depth + rng.normal(0, 0.3), side * np.cos(angle)])
            twigs.append(_Twig(hilum + rng.normal(0, 4, 3), _unit(heading), rng.uniform(3.4, 5.2), 30 * scale))
        for generation in range(generations):
            grown = [twig.grow(rng) for twig in twigs]
            points = np.array([tube.points[1:] for tube in grown]).reshape(-1, 2, 3)
            # The first ones start in the hilum, outside of the lung.
            inside = (lungs[name].value(*np.moveaxis(points, 2, 0)) < -2).tolist()
            kept = [
                (twig, tube) for twig, tube, ok in zip(twigs, grown, inside, strict=True) if not generation or all(ok)
            ]
            tubes += [tube for _, tube in kept]
            twigs = [child for twig, tube in kept for child in twig.fork(tube, rng)]
    return tubes


class _Twig(NamedTuple):
    start: Array
    heading: Array
    radius: float
    length: float

    def grow(self, rng: np.random.Generator) -> Tube:
        middle = self.start + self.heading * self.length / 2
        stop = middle + _unit(self.heading + rng.normal(0, 0.16, 3)) * self.length / 2
        return Tube(np.stack([self.start, middle, stop]), self.radius * np.array([1, 0.9, 0.78]))

    def fork(self, tube: Tube, rng: np.random.Generator) -> list[_Twig]:
        along = _unit(tube.points[2] - tube.points[1])
        children = []
        for turn in (-1, 1):
            axis = np.cross(along, rng.normal(0, 1, 3))
            heading = _unit(along + turn * _unit(axis) * rng.uniform(0.3, 0.65))
            narrow = self.radius * 0.78 * rng.uniform(0.75, 1.0)
            children.append(_Twig(tube.points[2], heading, narrow, self.length * rng.uniform(0.72, 0.95)))
        return children


def _unit(vector: Array) -> Array:
    return vector / np.linalg.norm(vector)
