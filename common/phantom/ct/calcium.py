"""Calcifications: the same specks on an artery, on the heart's surface, or where they mean nothing."""

from __future__ import annotations

import numpy as np

from ..anatomy import Form, Trunk, great_vessels
from ..solids import Array, Solid, ellipsoid, union
from .layers import Layer
from .lesions import Candidate

# Courses of three coronary arteries as directions (z, y, x) from the heart's centre: front, right, left.
CORONARIES = (
    ((-0.6, -0.9, 0.2), (0.7, -0.8, 0.8)),
    ((-0.5, -0.8, -0.3), (0.5, -0.7, -0.5)),
    ((-0.6, -0.3, 0.7), (0.5, 0.2, 0.9)),
)


def coronary(trunk: Trunk, rng: np.random.Generator, scale: float = 1.0) -> Candidate:
    """Coronary artery wall calcification; otherwise a rib's cartilage or a ligament calcifies."""
    start, stop = CORONARIES[int(rng.integers(3))]
    where = np.sort(rng.random(2)) if rng.random() < 0.5 else np.array([0.1, 0.9])
    depth = float(rng.uniform(5.5, 8.0))
    shares = np.linspace(where[0], where[1], int(rng.integers(4, 8)))
    surface = [_below_surface(trunk.heart, np.array(start) * (1 - t) + np.array(stop) * t, depth) for t in shares]
    return _candidate(np.array(surface), _elsewhere(trunk.form, rng, len(shares)), rng, scale)


def arterial(form: Form, rng: np.random.Generator, scale: float = 1.0) -> Candidate:
    """Arterial wall calcification of the aorta; otherwise a rib's cartilage or a ligament calcifies."""
    aorta = great_vessels(form)["aorta"]
    first = float(rng.uniform(1.0, 4.6))
    angle = float(rng.uniform(0, 2 * np.pi))
    wall = []
    for along in np.linspace(first, first + float(rng.uniform(0.4, 1.1)), int(rng.integers(4, 8))):
        number, share = int(along), along % 1
        middle = aorta.points[number] * (1 - share) + aorta.points[number + 1] * share
        heading = aorta.points[number + 1] - aorta.points[number]
        across = np.cross(heading, [0.3, 0.5, 0.8])
        across /= np.linalg.norm(across)
        over = np.cross(heading / np.linalg.norm(heading), across)
        radius = aorta.radii[number] - 3.0
        wall.append(middle + radius * (np.cos(angle) * across + np.sin(angle) * over))
        angle += float(rng.normal(0, 0.5))
    return _candidate(np.array(wall), _elsewhere(form, rng, len(wall)), rng, scale)


def _candidate(real: Array, mimic: Array, rng: np.random.Generator, scale: float) -> Candidate:
    radii = scale * rng.uniform(2.3, 3.6, (len(real), 3))
    hounsfield = float(rng.uniform(550, 1000))

    def layer(spots: Array) -> Layer:
        return Layer(union(*(ellipsoid(*pair) for pair in zip(spots, radii, strict=True))), hounsfield)

    return Candidate((layer(real),), (layer(mimic),))


def _below_surface(heart: Solid, direction: Array, depth: float) -> Array:
    centre = (np.array(heart.low) + np.array(heart.high)) / 2
    heading = direction / np.linalg.norm(direction)
    reach = np.arange(0.0, 160.0, 0.5)
    inside = heart.value(*(centre + reach[:, None] * heading).T) < 0
    last = reach[np.flatnonzero(inside)[-1]] if inside.any() else 0.0
    return centre + (last - depth) * heading


def _elsewhere(form: Form, rng: np.random.Generator, count: int) -> Array:
    # Far from heart and aorta even in a short chest: rib cartilage in front, or the spine's ligament on the right.
    side, share, height = float(rng.choice([-1, 1])), np.linspace(0, 1, count), float(rng.uniform(0.4, 0.75))
    if rng.random() < 0.5:
        x = side * (28 + float(rng.uniform(0, 12)) + share * 30)
        z = form.level(height) + 12 * share
        half_width, half_depth, middle = form.cage(z)
        y = middle - half_depth * np.sqrt(1 - np.clip(x / half_width, -0.95, 0.95) ** 2) - 4
    else:
        z = form.level(height) + 32 * share
        back, bend = form.spine(z)
        y, x = back - 14 + 10 * share, bend - 21
    return np.stack([z, y, x], 1)
