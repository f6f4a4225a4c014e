"""Injuries of the abdomen, named as RATIC names them, each with a mimic of the same brightness in a wrong place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from ..anatomy import Trunk, build_body
from ..solids import Array, Solid, Tube, difference, ellipsoid, intersection, union
from .abdomen_organs import KIDNEYS, Belly
from .layers import BACKGROUND, Layer
from .lesions import Candidate, cluster, in_wall, moved, points_inside, volume_of, wall_spot

GRADED = ("liver", "spleen", "kidney")
# Shares of the studies, far above the publisher's: a few hundred phantoms must hold enough of each.
GRADE_PREVALENCE = {"low": 0.12, "high": 0.10}
INJURY_PREVALENCE = {"bowel": 0.18, "extravasation": 0.18}
SHARES = {"low": (0.03, 0.07), "high": (0.14, 0.26)}  # of the organ's volume
LARGEST_BRUISE = 35e3  # mm3: a larger one would leave the fat under the skin
GAS, BLEEDING, BOWEL_WALL = -950.0, 45.0, 85.0


class Injuries(NamedTuple):
    """What is injured in one study.

    Args:
        grades: "healthy", "low" or "high" for liver, spleen and kidney.
        bowel: whether the bowel is.
        extravasation: whether a vessel leaks.
    """

    grades: Mapping[str, str]
    bowel: bool
    extravasation: bool

    def columns(self) -> dict[str, bool]:
        """The publisher's columns, without `any_injury`."""
        columns: dict[str, bool] = {}
        for name, injured in (("bowel", self.bowel), ("extravasation", self.extravasation)):
            columns |= {f"{name}_healthy": not injured, f"{name}_injury": injured}
        for organ in ("kidney", "liver", "spleen"):
            columns |= {f"{organ}_{grade}": self.grades[organ] == grade for grade in ("healthy", "low", "high")}
        return columns

    @property
    def any(self) -> bool:
        """Whether anything is injured."""
        return self.bowel or self.extravasation or any(grade != "healthy" for grade in self.grades.values())


def draw_injuries(rng: np.random.Generator) -> Injuries:
    """Decide what is injured, each organ for itself."""
    low, high = GRADE_PREVALENCE["low"], GRADE_PREVALENCE["high"]
    kinds, shares = ("healthy", "low", "high"), (1 - low - high, low, high)
    grades = {organ: str(rng.choice(kinds, p=shares)) for organ in GRADED}
    bowel, extravasation = (bool(rng.random() < share) for share in INJURY_PREVALENCE.values())
    return Injuries(grades, bowel, extravasation)


def place_injuries(
    trunk: Trunk, belly: Belly, blush: float, grades: Mapping[str, str], rng: np.random.Generator
) -> dict[str, Candidate]:
    """Decide where every injury would be, and where its mimic.

    Args:
        trunk: of the patient.
        belly: of the patient.
        blush: Hounsfield units of leaking blood.
        grades: of liver, spleen and kidney; an intact organ's mimic has one of the two sizes.
        rng: random stream of the study.
    """
    placed = {organ: _laceration(trunk, belly, organ, grades[organ], rng) for organ in GRADED}
    placed["bowel"] = _perforation(trunk, belly, rng)
    placed["extravasation"] = _leak(trunk, belly, blush, rng)
    return placed


def _laceration(trunk: Trunk, belly: Belly, organ: str, grade: str, rng: np.random.Generator) -> Candidate:
    # Dark clefts that start near the surface; their size is solved for the wanted share of the organ.
    name = KIDNEYS[int(rng.integers(2))] if organ == "kidney" else organ
    whole, shares = belly.organs[name], {key: float(rng.uniform(*bounds)) for key, bounds in SHARES.items()}
    other = str(rng.choice(("low", "high")))
    share = shares[other if grade == "healthy" else grade]
    spots = points_inside(whole, rng)
    depth = -whole.value(*spots.T)
    start = spots[int(np.abs(depth - rng.uniform(3, 9)).argmin())]
    offsets = np.vstack([np.zeros(3), rng.normal(0, 0.5, (3, 3))])
    frames = [np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in offsets]

    def clefts(size: float) -> Solid:
        parts = [
            ellipsoid(start + size * offset, size * np.array([1.0, 0.75, 0.4]), frame)
            for offset, frame in zip(offsets, frames, strict=True)
        ]
        return union(*parts)

    shape = clefts(_solve(lambda size: _share(clefts(size), spots), share))
    volume = share * volume_of(whole, rng)
    density = float(rng.normal(BLEEDING, 4))
    return Candidate((Layer(shape, density, within=(name,)),), (Layer(_bruise(trunk, volume, rng), density),))


def _solve(share_of: Callable[[float], float], wanted: float) -> float:
    low, high = 1.0, 200.0
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (low, middle) if share_of(middle) > wanted else (middle, high)
    return high


def _share(shape: Solid, spots: Array) -> float:
    return float((shape.value(*spots.T) < 0).mean())


def _bruise(trunk: Trunk, volume: float, rng: np.random.Generator) -> Solid:
    # The same blood under the skin of the flank.
    size = (min(volume, LARGEST_BRUISE) / 8) ** (1 / 3)
    shape = cluster(wall_spot(trunk.form, rng, (0.95, 1.8), size), size, rng, 5, 0.8)
    return in_wall(shape, trunk.form, build_body(trunk.form, arms=False))


def _perforation(trunk: Trunk, belly: Belly, rng: np.random.Generator) -> Candidate:
    # A thick stretch of wall, and gas outside of the bowel; the mimic is gas inside of it, and a bruise.
    name = ("small_bowel", "small_bowel", "colon", "duodenum")[int(rng.integers(4))]
    loop = belly.loops[name]
    vertices = belly.open_vertices(name)
    middle = int(rng.choice(vertices))
    part = slice(middle - 1, middle + 2)
    outer, lumen = (Tube(loop.points[part], loop.radii[part] + by) for by in (4.5, -2.0))
    wall = intersection(difference(outer.solid, lumen.solid), belly.cavity)
    radii = rng.uniform(4.5, 8.0, int(rng.integers(2, 5)))
    free = _beside(belly, loop.points[middle], rng, len(radii), float(radii.max()))
    along = loop.points[rng.choice(vertices, len(radii), replace=len(vertices) < len(radii))]

    def gas(spots: Array) -> Solid:
        return union(*(ellipsoid(spot, np.full(3, radius)) for spot, radius in zip(spots, radii, strict=True)))

    volume = volume_of(wall, rng)
    return Candidate(
        (Layer(wall, BOWEL_WALL, name, within=(BACKGROUND, name)), Layer(gas(free), GAS, within=(BACKGROUND,))),
        (Layer(_bruise(trunk, volume, rng), BOWEL_WALL), Layer(gas(along), GAS, within=(name,))),
    )


def _beside(belly: Belly, near: Array, rng: np.random.Generator, count: int, reach: float) -> Array:
    # Points in the belly's fat close to a place: as deep in it as `reach`, or the deepest there are.
    spots = near + rng.uniform(-45, 45, (6000, 3))
    spots = spots[belly.cavity.value(*spots.T) < -0.8 * reach]
    organs = [*belly.organs.values(), *(tube.solid for tube in belly.vessels.values())]
    room = np.min([organ.value(*spots.T) for organ in organs], axis=0)
    free = np.flatnonzero(room > reach)
    if len(free) < count:
        return spots[np.argsort(room)[-count:]]
    closest = np.argsort(((spots[free] - near) ** 2).sum(1))[: 6 * count]
    return spots[rng.choice(free[closest], count, replace=False)]


def _leak(trunk: Trunk, belly: Belly, blush: float, rng: np.random.Generator) -> Candidate:
    # A pool of contrast in blood; the mimic is contrast that was drunk, and a bruise.
    size = float(rng.uniform(6, 10))
    target = ("liver", "spleen", *KIDNEYS, "small_bowel", "colon")[int(rng.integers(6))]
    start = points_inside(belly.organs[target], rng)[0]
    spot = _beside(belly, start, rng, 1, size)[0]
    pool, blood = cluster(spot, size, rng, 4, 0.6), cluster(spot, 1.8 * size, rng, 3, 0.4)
    drunk = ("stomach", "colon", "small_bowel")[int(rng.integers(3))]
    inside = moved(pool, belly.loops[drunk].points[int(rng.choice(belly.open_vertices(drunk)))] - spot)
    return Candidate(
        (Layer(intersection(blood, belly.cavity), BLEEDING, within=(BACKGROUND,)),
         Layer(intersection(pool, belly.cavity), blush, within=(BACKGROUND,))),
        (Layer(_bruise(trunk, 25 * size**3, rng), BLEEDING), Layer(inside, blush, within=(drunk,))),
    )  # fmt: skip
