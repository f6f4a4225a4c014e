"""Findings as solids inside the lung, named as ChestX-ray14 names them.

Where a finding would be is drawn for every image and every finding, present or not; whether it is present is drawn from
another stream. So the place and the size of a box say nothing about presence, and every negative image has a matched
box to compare with.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .anatomy import SIDES, Trunk, build_heart, enlarged
from .solids import Array, Solid, ellipsoid, intersection, union

# Prevalence per finding, chosen so that about 40 % of the images have none.
PREVALENCE = {
    "Atelectasis": 0.13,
    "Cardiomegaly": 0.16,
    "Consolidation": 0.12,
    "Effusion": 0.15,
    "Infiltration": 0.14,
    "Mass": 0.11,
    "Nodule": 0.13,
    "Pneumothorax": 0.11,
}
LASTING = ("Cardiomegaly", "Mass", "Nodule")  # present in all images of a patient or in none


class Collapse(NamedTuple):
    """How a lung shrinks towards its hilum under a pneumothorax: by `share` at the apex, not at all below `floor`."""

    name: str
    hilum: tuple[float, float, float]
    share: float
    ceiling: float
    floor: float

    def keep(self, z: Array) -> Array:
        """Remaining size, in (0, 1], at height z."""
        rise = np.clip((self.floor - z) / (self.floor - self.ceiling), 0, 1)
        return 1 - self.share * rise * rise * (3 - 2 * rise)

    def lung(self, lung: Solid) -> Solid:
        """The collapsed lung."""
        z0, y0, x0 = self.hilum

        def value(z: Array, y: Array, x: Array) -> Array:
            keep = self.keep(z)
            return lung.value(z0 + (z - z0) / keep, y0 + (y - y0) / keep, x0 + (x - x0) / keep)

        return Solid(value, lung.low, lung.high)

    def move(self, points: Array) -> Array:
        """Where points (N, 3) of the healthy lung end up."""
        hilum = np.array(self.hilum)
        keep = self.keep(points[:, :1])
        for _ in range(3):  # `keep` is a function of the height after the move
            keep = self.keep(hilum[0] + (points[:, :1] - hilum[0]) * keep)
        return hilum + (points - hilum) * keep


class Placed(NamedTuple):
    """A finding at its place in one patient.

    Args:
        name: as in ChestX-ray14.
        solid: what its box encloses: the finding, or the whole heart.
        density: attenuation relative to soft tissue, 0 is air, 1 is water; the lung is about 0.28.
        collapse: for a pneumothorax only.
        step: mm between samples that resolve its shape.
    """

    name: str
    solid: Solid
    density: float
    collapse: Collapse | None = None
    step: float = 3.0


def place_findings(trunk: Trunk, lasting: np.random.Generator, passing: np.random.Generator) -> dict[str, Placed]:
    """Decide where every finding would be, by name.

    Args:
        trunk: the healthy patient.
        lasting: random stream of the patient, for findings that stay.
        passing: random stream of the image.
    """
    large = enlarged(trunk.form, float(lasting.uniform(1.25, 1.45)))
    placed = [
        Placed("Cardiomegaly", build_heart(large), 1.0, step=6.0),
        _blobs("Mass", trunk, lasting, radius=(15, 30), count=3, spread=0.5, density=0.95),
        _blobs("Nodule", trunk, lasting, radius=(6.5, 13), count=1, spread=0.0, density=1.0),
        _blobs("Consolidation", trunk, passing, radius=(16, 26), count=6, spread=1.0, density=0.75),
        _blobs("Infiltration", trunk, passing, radius=(9, 14), count=18, spread=2.0, density=0.85),
        _plates(trunk, passing),
        _effusion(trunk, passing),
        _pneumothorax(trunk, passing),
    ]
    return {item.name: item for item in sorted(placed, key=lambda item: item.name)}


def draw_presence(lasting: np.random.Generator, passing: np.random.Generator) -> frozenset[str]:
    """Which findings are present; every stream is drawn for every finding, so that they stay independent."""
    drawn = {name: (lasting.random(), passing.random())[name not in LASTING] for name in PREVALENCE}
    return frozenset(name for name, value in drawn.items() if value < PREVALENCE[name])


def _spot(
    trunk: Trunk, rng: np.random.Generator, margin: float, share: tuple[float, float] = (0.2, 0.85)
) -> tuple[str, Array]:
    # A point at least `margin` mm inside a lung; the margin is relaxed when a small lung has no such point.
    form = trunk.form
    name = ("lung_right", "lung_left")[int(rng.integers(2))]
    for attempt in range(60):
        z = form.level(rng.uniform(*share))
        half_width, half_depth, middle = (float(v) for v in form.cage(np.array(z)))
        y = middle + half_depth * rng.uniform(-0.65, 0.65)
        x = SIDES[name] * half_width * rng.uniform(0.3, 0.85)
        if float(trunk.lungs[name].value(*np.array([z, y, x])[:, None])[0]) < -margin * (1 - attempt / 60):
            break
    return name, np.array([z, y, x])


def _blobs(
    name: str,
    trunk: Trunk,
    rng: np.random.Generator,
    radius: tuple[float, float],
    count: int,
    spread: float,
    density: float,
) -> Placed:
    size = float(rng.uniform(*radius))
    lung, centre = _spot(trunk, rng, margin=size * 0.6)
    parts = []
    for k in range(count):
        offset = rng.normal(0, spread * size * 0.6, 3) if k else np.zeros(3)
        parts.append(ellipsoid(centre + offset, size * rng.uniform(0.75, 1.15, 3)))
    shape = union(*parts, blend=0.3 * size) if count > 1 else parts[0]
    return Placed(name, intersection(shape, trunk.lungs[lung]), density)


def _plates(trunk: Trunk, rng: np.random.Generator) -> Placed:
    # Plate-like atelectasis: flat bands above the diaphragm.
    lung, centre = _spot(trunk, rng, margin=12, share=(0.55, 0.8))
    parts = []
    for k in range(3):
        tilt = rng.normal(0, 0.25)
        rows = np.array([[np.cos(tilt), 0, -np.sin(tilt)], [0, 1, 0], [np.sin(tilt), 0, np.cos(tilt)]])
        middle = centre + np.array([(k - 1) * rng.uniform(9, 14), rng.normal(0, 6), rng.normal(0, 7)])
        parts.append(ellipsoid(middle, np.array([rng.uniform(2.8, 4.5), 34, rng.uniform(24, 40)]), rows))
    return Placed("Atelectasis", intersection(union(*parts), trunk.lungs[lung]), 0.9)


def _effusion(trunk: Trunk, rng: np.random.Generator) -> Placed:
    form = trunk.form
    name = ("lung_right", "lung_left")[int(rng.integers(2))]
    line = form.level(1.0) - form.dome + rng.uniform(-55, 6)
    climb, width = rng.uniform(15, 40), rng.uniform(10, 22)

    def value(z: Array, y: Array, x: Array) -> Array:
        # The fluid's surface climbs along the chest wall (meniscus).
        half_width, half_depth, middle = form.cage(z)
        edge = 1 - np.sqrt((x / half_width) ** 2 + ((y - middle) / half_depth) ** 2)
        return line - climb * np.exp(-np.clip(edge, 0, 1) * half_depth / width) - z

    lung = trunk.lungs[name]
    fluid = Solid(value, (line - climb, lung.low[1], lung.low[2]), lung.high)
    return Placed("Effusion", intersection(lung, fluid), 1.0, step=5.0)


def _pneumothorax(trunk: Trunk, rng: np.random.Generator) -> Placed:
    form = trunk.form
    name = ("lung_right", "lung_left")[int(rng.integers(2))]
    hilum = (form.level(form.hilum_share), 5.0, SIDES[name] * 24.0)
    floor = form.level(rng.uniform(0.55, 0.95))
    collapse = Collapse(name, hilum, float(rng.uniform(0.16, 0.34)), form.apex, floor)
    lung, small = trunk.lungs[name], collapse.lung(trunk.lungs[name])

    def value(z: Array, y: Array, x: Array) -> Array:
        # A gap counts from 2 mm (below the floor both surfaces coincide) and away from the midline, where it is a film.
        gap = np.maximum(lung.value(z, y, x), 2.0 - small.value(z, y, x))
        return np.maximum(gap, 26.0 - SIDES[name] * x)

    return Placed("Pneumothorax", Solid(value, lung.low, (floor, lung.high[1], lung.high[2])), 0.0, collapse, step=6.0)
