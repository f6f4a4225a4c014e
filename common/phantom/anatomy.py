"""The parametric 3D thorax: one patient's form, and the organs built from it.

Everything is a `Solid` with Hounsfield units, so that the same patient can be projected (a radiograph) or sampled on a
grid (a CT volume, see `volume`). Sizes are adult means with a spread that covers small women and large men; they are
hand-set, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .solids import Array, Solid, Tube, difference, ellipsoid, intersection, union


@dataclass(frozen=True)
class Form:
    """One patient's measures, in millimetres unless said otherwise."""

    half_width: float  # inside of the rib cage at its widest
    half_depth: float
    lung_height: float  # apex to costophrenic angle
    wall: float  # muscle and fat outside the ribs
    dome: float  # how far the right dome rises above the costophrenic angle
    dome_step: float  # how much higher the right dome stands than the left
    heart_scale: float  # 1 is a normal heart
    heart_turn: float  # radians below the horizontal of the heart's long axis
    heart_shift: float
    aorta_radius: float
    aorta_bulge: float  # how far the arch stands out to the left
    hilum_share: float  # height of the hila as a share of the lung
    clavicle_rise: float
    clavicle_tilt: float  # side difference of the clavicles
    shoulder: float  # half width of the shoulders
    scapula_gap: float  # how far the shoulder blades are drawn outwards
    scoliosis: float
    rib_drop: float
    bone: float  # mineral density, 1 is normal
    breast: float  # 0 for none
    gas: float  # size of the stomach bubble, 0 for none
    seed: int  # of the vessel tree
    oblique: float  # where the oblique fissures meet the back, as a share of the lung
    horizontal: float  # height of the horizontal fissure, as a share of the lung

    @property
    def apex(self) -> float:
        """Height z of the lung apices."""
        return -self.lung_height / 2

    @property
    def dome_top(self) -> float:
        """Height z of the right dome of the diaphragm."""
        return self.level(1.0) - self.dome

    def level(self, share: float) -> float:
        """Height z at a share of the lung: 0 apex, 1 costophrenic angle."""
        return (share - 0.5) * self.lung_height

    def cage(self, z: Array) -> tuple[Array, Array, Array]:
        """Half width, half depth and centre y of the rib cage's inside at height z."""
        low, steps, tables = self._cage_table
        index = np.clip((np.asarray(z) - low) * steps, 0, tables.shape[1] - 1).astype(np.int32)
        half_width, half_depth, middle = (table.take(index) for table in tables)
        return half_width, half_depth, middle

    @cached_property
    def _cage_table(self) -> tuple[float, float, Array]:
        # The profile is asked for at millions of points: a table of 0.05 mm steps is faster than sines and powers.
        low, high, steps = self.level(-0.7), self.level(2.3), 20.0
        share = np.arange(low, high, 1 / steps) / self.lung_height + 0.5
        wide = np.sin(np.clip(share / 0.8, 0, 1) * (np.pi / 2)) ** 0.85
        deep = np.sin(np.clip(share / 0.85, 0, 1) * (np.pi / 2))
        taper = 1 - 0.10 * np.clip(share - 0.85, 0, 1)
        half_width = self.half_width * (0.42 + 0.58 * wide) * taper
        rows = (half_width, self.half_depth * (0.45 + 0.55 * deep), 14 * (1 - np.clip(share, 0, 1)))
        return low, steps, np.stack(rows).astype(np.float32)

    def spine(self, z: Array) -> tuple[Array, Array]:
        """Centre (y, x) of the vertebral bodies at height z: kyphosis and scoliosis."""
        share = z / self.lung_height + 0.5
        bend = self.scoliosis * np.sin(share * 4.0)
        return self.half_depth * (0.52 + 0.16 * np.sin(np.clip(share, -0.5, 1.4) * np.pi)), bend


def sample_form(rng: np.random.Generator, female: bool, seed: int) -> Form:
    """Draw one patient; `seed` is kept for the details (vessels) that are too many to be fields."""
    size = rng.normal(0.95 if female else 1.03, 0.055)
    fat = float(np.clip(rng.lognormal(0, 0.4), 0.45, 2.4))
    return Form(
        half_width=float(np.clip(134 * size * rng.normal(1, 0.06), 105, 165)),
        half_depth=float(np.clip(94 * size * rng.normal(1, 0.08), 70, 125)),
        lung_height=float(np.clip(250 * size * rng.normal(1, 0.10), 185, 320)),
        wall=26 * fat,
        dome=float(np.clip(rng.normal(44, 9), 24, 70)),
        dome_step=rng.normal(12, 7),
        heart_scale=float(np.clip(rng.normal(0.92, 0.06) * size, 0.75, 1.1)),
        heart_turn=rng.normal(0.66, 0.13),
        heart_shift=rng.normal(0, 5),
        aorta_radius=float(np.clip(rng.normal(13.5, 1.8), 10, 19)),
        aorta_bulge=rng.normal(27, 4),
        hilum_share=rng.normal(0.44, 0.025),
        clavicle_rise=rng.normal(22, 12),
        clavicle_tilt=rng.normal(0, 6),
        shoulder=float(185 * size * rng.normal(1, 0.05)),
        scapula_gap=rng.normal(4, 16),
        scoliosis=rng.normal(0, 4),
        rib_drop=float(np.clip(rng.normal(78, 16), 40, 120)),
        bone=float(np.clip(rng.normal(1, 0.18), 0.6, 1.5)),
        breast=float(np.clip(rng.normal(1, 0.35), 0.3, 1.8)) if female else 0.0,
        gas=float(np.clip(rng.normal(0.4, 0.45), 0, 1.3)),
        seed=seed,
        oblique=rng.normal(0.22, 0.03),
        horizontal=rng.normal(0.52, 0.03),
    )


class Organ(NamedTuple):
    """A named solid with its attenuation; later organs of a list lie on top of earlier ones."""

    name: str
    solid: Solid
    hounsfield: float


@dataclass(frozen=True)
class Trunk:
    """The soft organs of one patient."""

    form: Form
    body: Solid
    heart: Solid
    mediastinum: Solid
    abdomen: Solid  # everything below the diaphragm
    lungs: dict[str, Solid]  # lung_right, lung_left
    organs: tuple[Organ, ...]  # inside the body, without lungs and heart


def build_trunk(form: Form, heart: Solid | None = None) -> Trunk:
    """Make the soft organs of a patient; the same form always gives the same organs.

    Args:
        form: the patient.
        heart: another heart than the form's own, such as an enlarged one.
    """
    heart, abdomen = heart or build_heart(form), _abdomen(form)
    arteries = great_vessels(form)
    slab = ellipsoid((form.level(0.40), -5, 2), (0.75 * form.lung_height, 0.70 * form.half_depth, 31))
    mediastinum = union(slab, *(tube.solid for tube in arteries.values()), spinal_mass(form))
    lungs = {name: _lung(form, side, heart, mediastinum, abdomen) for name, side in SIDES.items()}
    organs = [
        Organ("liver", intersection(ellipsoid((form.dome_top + 62, -5, -48), (75, 85, 105)), abdomen), 60),
        Organ("spleen", intersection(ellipsoid((form.dome_top + 60, 45, 92), (55, 34, 28)), abdomen), 50),
        *(Organ(name, tube.solid, 45) for name, tube in arteries.items()),
    ]
    if form.gas > 0.35:
        radii = np.array([17, 20, 30]) * form.gas
        bubble = ellipsoid((form.dome_top + form.dome_step + 12 + radii[0], -20, 72), radii)
        organs.append(Organ("gas", intersection(bubble, abdomen), -950))
    return Trunk(form, build_body(form), heart, mediastinum, abdomen, lungs, tuple(organs))


SIDES = {"lung_right": -1.0, "lung_left": 1.0}  # the patient's right is the image's left


def enlarged(form: Form, factor: float) -> Form:
    """The same patient with a larger heart."""
    return replace(form, heart_scale=form.heart_scale * factor)


def dome_height(form: Form, y: Array, x: Array) -> Array:
    """Height z of the diaphragm over (y, x): two domes, highest a little in front of the middle."""
    surfaces = []
    for side, lower in ((-1.0, 0.0), (1.0, form.dome_step)):
        across = (side * x - 0.5 * form.half_width) / form.half_width
        across = np.maximum(across * 2.0, across * -1.1)
        along = (y + 10) / form.half_depth
        along = np.maximum(along * 0.8, along * -0.6)
        surfaces.append(form.dome_top + lower + (form.dome - lower) * (across * across + along * along))
    return np.minimum(surfaces[0], surfaces[1])


def _abdomen(form: Form) -> Solid:
    wide = form.half_width + form.wall
    deep = form.half_depth + form.wall
    low = form.dome_top - abs(form.dome_step) - 5
    return Solid(
        lambda z, y, x: (dome_height(form, y, x) - z) * 0.8, (low, -deep, -wide), (form.level(1.9), deep, wide)
    )


def build_heart(form: Form) -> Solid:
    """The heart with its atria and ventricles, resting on the diaphragm."""
    scale, turn = form.heart_scale * form.half_width / 134, form.heart_turn
    base = form.dome_top + form.dome_step
    centre = np.array([base - 30 * scale, -0.30 * form.half_depth, 21 * scale + form.heart_shift])
    long_axis = np.array([np.sin(turn) * 0.95, -0.3, np.cos(turn) * 0.95])
    long_axis /= np.linalg.norm(long_axis)
    across = np.cross(long_axis, [0.0, 1.0, 0.0])
    across /= np.linalg.norm(across)
    axes = np.stack([long_axis, across, np.cross(long_axis, across)])
    ventricles = ellipsoid(centre, np.array([70, 47, 45]) * scale, axes)
    atrium = ellipsoid(centre + np.array([-8, 8, -38]) * scale, np.array([43, 34, 31]) * scale)
    return union(ventricles, atrium, blend=18.0)


def great_vessels(form: Form) -> dict[str, Tube]:
    """Aorta, caval vein and pulmonary arteries: they shape the edges of the mediastinum."""
    arch, hilum, back = form.level(0.27), form.level(form.hilum_share), 0.42 * form.half_depth
    bulge, radius = form.aorta_bulge, form.aorta_radius
    aorta = [(arch + 75, -26, -6), (arch + 18, -24, -15), (arch + 2, -6, 0), (arch + 4, 14, bulge * 0.7),
             (arch + 18, 30, bulge), (arch + 60, back, bulge - 3), (form.level(1.1), back, 12)]  # fmt: skip
    return {
        "aorta": Tube(np.array(aorta, float), np.full(7, radius)),
        "vena_cava": Tube(
            np.array([(form.level(0.12), -12, -19), (form.level(0.55), -12, -25)], float), np.full(2, 11.0)
        ),
        "artery_left": Tube(
            np.array([(hilum + 32, -30, 14), (hilum - 8, -8, 24), (hilum - 6, 8, 40)], float), np.array([14.0, 14, 9])
        ),
        "artery_right": Tube(
            np.array([(hilum + 8, -14, 5), (hilum + 4, -4, -24), (hilum + 14, 2, -40)], float), np.array([11.0, 10, 8])
        ),
    }


def spinal_mass(form: Form) -> Solid:
    """The column with the muscles along it."""
    low, high = form.apex - 150, form.level(1.9)

    def value(z: Array, y: Array, x: Array) -> Array:
        back, bend = form.spine(z)
        return (np.sqrt(((y - back - 12) / 34) ** 2 + ((x - bend) / 26) ** 2) - 1) * 26

    return Solid(value, (low, 0.0, -26 - abs(form.scoliosis)), (high, form.half_depth + 60, 26 + abs(form.scoliosis)))


def _lung(form: Form, side: float, heart: Solid, mediastinum: Solid, abdomen: Solid) -> Solid:
    inset = 0.36 * form.half_width

    def shell(z: Array, y: Array, x: Array) -> Array:
        half_width, half_depth, middle = form.cage(z)
        cage = (_ring((x / half_width) ** 2, ((y - middle) / half_depth) ** 2) - 1) * half_depth
        across, along = (x * side - inset) / 44, (y - 22) / 58
        cap = (form.apex + 42 * (across * across + along * along) - z) * 0.6
        above = np.maximum(cage, cap) + np.maximum(14 - np.abs(cage - cap), 0) ** 2 / 56
        return np.maximum(above, -x * side)

    wide, deep = form.half_width * 1.02, form.half_depth * 1.02
    low = (form.apex - 1, -deep, min(side * wide, 0.0))
    high = (form.level(1.06), deep + 10, max(side * wide, 0.0))
    return difference(Solid(shell, low, high), abdomen, mediastinum, heart)


def _ring(across: Array, along: Array) -> Array:
    # Norm of a cross-section between an ellipse and a box (exponent about 2.7), from the squared relative coordinates.
    return 0.5 * (np.sqrt(across + along) + np.sqrt(np.sqrt(across * across + along * along)))


def build_body(form: Form, arms: bool = True) -> Solid:
    """The skin; without arms for a CT, where they are raised out of the picture."""
    top, wall = form.apex, form.wall
    muscle = 9 + 0.33 * wall

    def torso(z: Array, y: Array, x: Array) -> Array:
        half_width, half_depth, middle = form.cage(np.clip(z, form.level(0.1), form.level(1.0)))
        share = np.clip(z / form.lung_height + 0.5, 0, 1)
        half_width = half_width + wall + 16 * (1 - share)
        half_depth = half_depth + muscle + 6
        across, along = (x / half_width) ** 2, ((y - middle) / half_depth) ** 2
        ring = (_ring(across, along) - 1) * half_depth
        return np.maximum(ring, (top - 5 - z) * 0.8)

    wide, deep = form.half_width + wall + 20, form.half_depth + muscle + 20
    chest = Solid(torso, (top - 5, -deep, -wide), (form.level(2.2), deep + 14, wide))
    if form.breast:
        radii = np.array([56, 30, 54]) * form.breast**0.5
        # A wide seam: the upper edge fades into the chest.
        spots = [(form.level(0.80), -form.half_depth - muscle + 2, side * 0.55 * form.half_width) for side in (-1, 1)]
        chest = union(chest, *(ellipsoid(spot, radii) for spot in spots), blend=45.0)
    parts = [chest]
    neck = 50 + 0.25 * wall
    parts.append(Tube(np.array([(top - 230, 5, 0), (top + 20, 25, 0)], float), np.array([neck, neck + 8])).solid)
    parts.append(ellipsoid((top - 185, -5, 0), (105, 95, 76)))
    for side in (-1.0, 1.0):
        joint = (top + 52, 18, side * form.shoulder)
        slope = np.array([(top - 30, 30, side * 25), (top + 20, 30, side * 0.55 * form.shoulder), joint], float)
        parts.append(Tube(slope, np.array([48, 48, 48]) + 0.2 * wall).solid)
        if arms:
            arm = np.array([joint, (form.level(2.2), 10, side * (form.shoulder + 22))], float)
            parts.append(Tube(arm, np.array([50, 44]) + 0.25 * wall).solid)
    return union(*parts, blend=16.0)
