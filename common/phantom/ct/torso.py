"""What chest and abdomen have in common on a CT: skin, fat, muscle, bones, great vessels, and the table below."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..anatomy import Form, Trunk, build_body, spinal_mass
from ..patient import Patient
from ..skeleton import vertebrae
from ..solids import Array, Solid, Tube, difference, intersection, union
from .layers import BACKGROUND, BLOOD, FAT, MUSCLE, Layer

RIB, SPONGY, DISC = 350.0, 190.0, 90.0
LOWEST = 17  # L5, counted from T1


def inside_cage(form: Form, inset: float) -> Solid:
    """What the ribs and the belly's muscles enclose, drawn in by `inset` mm (out, if negative)."""

    def value(z: Array, y: Array, x: Array) -> Array:
        half_width, half_depth, middle = form.cage(z)
        ring = np.sqrt((x / half_width) ** 2 + ((y - middle) / half_depth) ** 2)
        return (ring - 1) * half_depth + inset

    wide, deep = form.half_width * 1.02 - inset, form.half_depth * 1.02 - inset
    return Solid(value, (form.apex - 5, -deep, -wide), (form.level(2.29), deep + 14, wide))


def cavity(form: Form, abdomen: Solid) -> Solid:
    """The space of the abdominal organs: below the diaphragm, inside of the muscles, in front of the spine."""
    inner = Solid(lambda z, y, x: abdomen.value(z, y, x) + 3, abdomen.low, (form.level(2.2), *abdomen.high[1:]))
    return difference(intersection(inside_cage(form, 4.0), inner), spinal_mass(form))


def raised(form: Form, right: float, left: float) -> Form:
    """The same patient with both domes of the diaphragm higher by some mm, at most a quarter of the lung."""
    most = 0.25 * form.lung_height
    right, left = min(right, most), min(left, most)
    return replace(form, dome=form.dome + right, dome_step=form.dome_step + right - left)


def torso_layers(trunk: Trunk) -> list[Layer]:
    """Everything outside of the organs, to be painted first."""
    form = trunk.form
    column = [
        (z, *(float(v) for v in form.spine(np.array(z)))) for z in np.arange(form.apex - 60, form.level(2.28), 20)
    ]
    muscle = 5 + 0.2 * form.wall
    return [
        *_table(form),
        Layer(build_body(form, arms=False), FAT),
        Layer(intersection(inside_cage(form, -muscle), build_body(form, arms=False)), MUSCLE),
        Layer(inside_cage(form, 0.0), FAT),
        Layer(intersection(trunk.abdomen, inside_cage(form, 0.0)), MUSCLE),
        Layer(cavity(form, trunk.abdomen), FAT),
        *(Layer(solid, MUSCLE) for solid in back_muscles(form)),
        Layer(Tube(np.array(column), np.full(len(column), 17.0)).solid, DISC),
    ]


def bone_layers(patient: Patient) -> list[Layer]:
    """The skeleton without the arms, down to the pelvis; to be painted last."""
    form = patient.form
    bones = {name: tube for name, tube in patient.bones.items() if not name.startswith("humerus")}
    bones |= vertebrae(form, range(14, LOWEST + 1))
    bodies = []
    for name, tube in bones.items():
        if name.startswith("vertebra") and not name.startswith("vertebra_edge"):
            bodies.append(Tube(tube.points, tube.radii * 1.9))
    canal = [tube.points.mean(0) + np.array([0, 24.0, 0]) for tube in bodies]
    canal_tube = Tube(np.array(sorted(point.tolist() for point in canal)), np.full(len(canal), 7.0))
    return [
        Layer(union(*(tube.solid for tube in bodies)), SPONGY * form.bone, BACKGROUND),
        Layer(union(*(tube.solid for tube in (*bones.values(), *_pelvis(form)))), RIB * form.bone, BACKGROUND),
        Layer(canal_tube.solid, 30.0),
    ]


def vessel_layers(tubes: dict[str, Tube], hounsfield: float = BLOOD) -> list[Layer]:
    """Aorta and vena cava under their names, pulmonary arteries without one."""
    names = {"aorta": "aorta", "vena_cava": "superior_vena_cava", "vena_cava_inferior": "inferior_vena_cava"}
    return [Layer(tube.solid, hounsfield, names.get(name)) for name, tube in tubes.items()]


def back_muscles(form: Form) -> list[Solid]:
    """Around the column, along it, and the psoas to both sides of the loins."""
    solids = [spinal_mass(form)]
    for low, out, back, radius in ((0.0, 30, 30, 17), (1.15, 36, -6, 15)):
        heights = np.linspace(form.level(low), form.level(2.28), 8)
        middle = [[float(v) for v in form.spine(np.array(z))] for z in heights]
        for side in (-1, 1):
            course = [(z, y + back, x + side * out) for z, (y, x) in zip(heights, middle, strict=True)]
            solids.append(Tube(np.array(course), np.full(8, radius * form.half_depth / 94)).solid)
    return solids


def _pelvis(form: Form) -> list[Tube]:
    # Iliac wings and sacrum: enough to tell where the belly ends.
    scale, top = form.half_width / 134, form.level(1.85)
    y, x = (float(v) for v in form.spine(np.array(form.level(2.05))))
    tubes = [Tube(np.array([(form.level(2.02), y, x), (form.level(2.28), y + 22, x)]), np.array([24.0, 16.0]))]
    for side in (-1, 1):
        for share in np.linspace(0, 1, 10):
            back, out = 46 - 80 * share, 54 + 48 * share**0.7
            crest = (top + 28 * abs(share - 0.4), back, side * out * scale)
            foot = (form.level(2.28), back * 0.7, side * out * 0.8 * scale)
            tubes.append(Tube(np.array([crest, foot]), np.full(2, 5.0)))
    return tubes


def _table(form: Form) -> list[Layer]:
    # A shallow carbon trough with a foam core, just below the back.
    muscle = 9 + 0.33 * form.wall
    back = form.half_depth + muscle + 14

    def trough(depth: float, thickness: float) -> Solid:
        def value(z: Array, y: Array, x: Array) -> Array:
            return np.maximum(np.abs(y - back - depth + 0.0012 * x * x) - thickness, np.abs(x) - 210)

        return Solid(value, (-1e4, back + depth - thickness - 54, -210.0), (1e4, back + depth + thickness, 210.0))

    return [Layer(trough(16.0, 12.0), -880.0), Layer(trough(3.0, 1.5), -250.0), Layer(trough(28.0, 1.5), -250.0)]
