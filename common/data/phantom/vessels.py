"""Airways, and the branching vessels that give the lungs their texture."""

from __future__ import annotations

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
            twigs.append(
                (hilum + rng.normal(0, 4, 3), heading / np.linalg.norm(heading), rng.uniform(3.0, 4.6), 30 * scale, 0)
            )
        while twigs:
            start, heading, radius, length, generation = twigs.pop(0)
            bent = heading + rng.normal(0, 0.16, 3)
            bent /= np.linalg.norm(bent)
            middle = start + heading * length / 2
            stop = middle + bent * length / 2
            if generation and not _inside(lungs[name], middle, stop):
                continue
            tubes.append(Tube(np.stack([start, middle, stop]), np.array([radius, radius * 0.9, radius * 0.78])))
            if generation + 1 < generations:
                for turn in (-1, 1):
                    axis = rng.normal(0, 1, 3)
                    axis -= bent * (axis @ bent)
                    axis /= np.linalg.norm(axis)
                    child = bent + turn * axis * rng.uniform(0.3, 0.65)
                    child /= np.linalg.norm(child)
                    narrow = radius * 0.78 * rng.uniform(0.72, 0.98)
                    twigs.append((stop, child, narrow, length * rng.uniform(0.72, 0.95), generation + 1))
    return tubes


def _inside(lung: Solid, *points: Array) -> bool:
    return all(float(lung.value(*(np.float64(v) for v in point))) < -2 for point in points)
