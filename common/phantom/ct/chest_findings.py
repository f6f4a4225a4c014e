"""Findings of the chest, named as CT-RATE names them, each with a mimic of the same brightness in a wrong place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..anatomy import Form, Trunk, build_body, build_heart, build_trunk, enlarged
from ..solids import Solid, ellipsoid, intersection, union
from . import calcium
from .layers import Layer
from .lesions import Candidate, cluster, in_wall, moved, points_inside, spot_inside, wall_spot
from .lobes import LOBES, build_lobes
from .torso import raised

# Shares of the scans, so that every finding has enough positives in a few hundred volumes.
CHEST_PREVALENCE = {
    "Arterial wall calcification": 0.35,
    "Cardiomegaly": 0.28,
    "Coronary artery wall calcification": 0.30,
    "Emphysema": 0.25,
    "Lung nodule": 0.35,
    "Pleural effusion": 0.28,
    "Consolidation": 0.28,
}
CHEST_LASTING = (
    "Arterial wall calcification",
    "Cardiomegaly",
    "Coronary artery wall calcification",
    "Emphysema",
    "Lung nodule",
)
FLUID, SOLID_NODULE, BULLA = 8.0, 35.0, -975.0


class Burden(NamedTuple):
    """Sizes of the findings that displace the lung.

    Args:
        heart: factor of an enlarged heart's size.
        side: of the effusion, a name of `Trunk.lungs`.
        depth: mm of fluid at the back.
    """

    heart: float
    side: str
    depth: float


def sample_burden(lasting: np.random.Generator, passing: np.random.Generator) -> Burden:
    """Draw the sizes, whether or not the findings are present."""
    side = ("lung_right", "lung_left")[int(passing.integers(2))]
    return Burden(float(lasting.uniform(1.14, 1.27)), side, float(passing.uniform(13, 27)))


def displaced(form: Form, burden: Burden, absent: frozenset[str], breath: float) -> Form:
    """The form of one scan: where heart or effusion do not displace the lung, the diaphragm displaces as much.

    Args:
        form: the patient's.
        burden: sizes.
        absent: findings whose mimic is wanted.
        breath: mm by which both domes stand higher.
    """
    floor = 0.75 * np.pi * form.half_width * form.half_depth  # mm2 of both domes
    right = left = breath
    if "Cardiomegaly" in absent:
        volume = 5.0e5 * (form.heart_scale * form.half_width / 134) ** 3 * (burden.heart**3 - 1)
        right, left = right + volume / floor, left + volume / floor
    if "Pleural effusion" in absent:
        share = 1 - burden.depth / form.half_depth
        segment = np.arccos(share) - share * np.sqrt(1 - share * share)
        rise = 0.5 * form.half_width * form.half_depth * segment * 0.75 * form.lung_height / (floor / 2)
        right, left = (right + rise, left) if burden.side == "lung_right" else (right, left + rise)
    return raised(form, right, left)


def heart_of(form: Form, burden: Burden, present: frozenset[str]) -> Solid:
    """The heart of one scan."""
    return build_heart(enlarged(form, burden.heart) if "Cardiomegaly" in present else form)


def place_chest(
    trunk: Trunk, burden: Burden, lasting: np.random.Generator, passing: np.random.Generator, lesion_scale: float = 1.0
) -> dict[str, Candidate]:
    """Decide where every finding would be, and where its mimic.

    Args:
        trunk: organs of the scan.
        burden: sizes of what displaces the lung.
        lasting: random stream of the patient.
        passing: random stream of the scan.
        lesion_scale: factor of the radii of nodules and calcifications.
    """
    # Lesions keep clear of the largest heart and the highest diaphragm that this patient may have.
    crowded = displaced(trunk.form, burden, frozenset({"Cardiomegaly", "Pleural effusion"}), 10.0)
    lobes = build_lobes(build_trunk(crowded, build_heart(enlarged(crowded, burden.heart))))
    return {
        "Lung nodule": _nodule(trunk, lobes, lasting, lesion_scale),
        "Emphysema": _emphysema(lobes, lasting),
        "Coronary artery wall calcification": calcium.coronary(trunk, lasting, lesion_scale),
        "Arterial wall calcification": calcium.arterial(trunk.form, lasting, lesion_scale),
        "Consolidation": _consolidation(trunk, lobes, passing),
        "Pleural effusion": _effusion(trunk, burden),
    }


def _nodule(trunk: Trunk, lobes: dict[str, Solid], rng: np.random.Generator, scale: float) -> Candidate:
    size, lobe = scale * float(rng.uniform(6.0, 10.0)), LOBES[int(rng.integers(len(LOBES)))]
    shape = cluster(spot_inside(lobes[lobe], rng, size + 5), size, rng, 1, 0.0)
    other = moved(shape, wall_spot(trunk.form, rng, (0.15, 0.85), size) - _middle(shape))
    other = in_wall(other, trunk.form, build_body(trunk.form, arms=False))
    return Candidate((Layer(shape, SOLID_NODULE, within=LOBES),), (Layer(other, SOLID_NODULE),))


def _consolidation(trunk: Trunk, lobes: dict[str, Solid], rng: np.random.Generator) -> Candidate:
    size, lobe = float(rng.uniform(13, 19)), LOBES[int(rng.integers(len(LOBES)))]
    density = float(rng.uniform(-40, 30))
    shape = cluster(spot_inside(lobes[lobe], rng, size * 0.7), size, rng, 5, 0.7)
    other = moved(shape, wall_spot(trunk.form, rng, (0.3, 0.9), size) - _middle(shape))
    other = in_wall(other, trunk.form, build_body(trunk.form, arms=False))
    return Candidate((Layer(shape, density, within=(lobe,)),), (Layer(other, density),))


def _emphysema(lobes: dict[str, Solid], rng: np.random.Generator) -> Candidate:
    # Holes in the upper lobes. The mimic is a fuller stomach bubble, which `chest` makes of the holes' volume.
    bullae = []
    for lobe in ("lung_upper_lobe_left", "lung_upper_lobe_right"):
        spots = points_inside(lobes[lobe], rng)[: int(rng.integers(35, 70))]
        bullae += [ellipsoid(spot, rng.uniform(4.5, 8.5, 3)) for spot in spots]
    return Candidate((Layer(union(*bullae), BULLA, within=LOBES),), ())


def _effusion(trunk: Trunk, burden: Burden) -> Candidate:
    # Free fluid lies at the back of a patient who lies on the back; the mimic is a higher diaphragm.
    lung, line = trunk.lungs[burden.side], 0.97 * trunk.form.half_depth - burden.depth
    fluid = Solid(lambda z, y, x: line - y, (lung.low[0], line, lung.low[2]), lung.high)
    lobes = tuple(name for name in LOBES if name.endswith(burden.side.removeprefix("lung")))
    return Candidate((Layer(intersection(lung, fluid), FLUID, within=lobes),), ())


def _middle(shape: Solid) -> np.ndarray:
    return (np.array(shape.low) + np.array(shape.high)) / 2
