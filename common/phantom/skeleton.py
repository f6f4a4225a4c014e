"""Bones as tubes: ribs, clavicles, vertebrae, shoulder blades, upper arms, breastbone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .anatomy import Form
from .solids import Array, Tube

NAMES = (("right", -1.0), ("left", 1.0))


def build_skeleton(form: Form) -> dict[str, Tube]:
    """All bones of a patient by name, in patient coordinates; two of them are `clavicle_right` and `clavicle_left`."""
    bones: dict[str, Tube] = {}
    for name, side in NAMES:
        for number in range(1, 12):
            bones[f"rib{number}_{name}"] = _rib(form, side, number)
        bones[f"clavicle_{name}"] = _clavicle(form, side)
        bones.update({f"{part}_{name}": tube for part, tube in _shoulder(form, side).items()})
    bones.update(vertebrae(form, range(-4, 14)))
    bones["sternum"] = _tube(
        [(form.level(0.12), 0, 0), (form.level(0.30), 0, 0), (form.level(0.66), 0, 0)], [17, 10, 9]
    )
    for point in bones["sternum"].points:
        _, depth, middle = form.cage(point[0])
        point[1] = middle - depth - 4
    return bones


def _tube(points: object, radii: object) -> Tube:
    return Tube(np.asarray(points, float), np.asarray(radii, float))


def _rib(form: Form, side: float, number: int) -> Tube:
    # From the vertebra out, around the cage and down to its front end; rib 1 is short and flat, 11 ends early.
    start = form.level(-0.06 + 0.093 * number)
    end_angle = {1: 2.2, 10: 2.0, 11: 1.5}.get(number, 2.35)
    drop = form.rib_drop * min(0.45 + 0.09 * number, 1.0)
    angle = np.linspace(0.14, end_angle, 24)
    z = start - 9 * np.sin(np.clip(angle * 2.2, 0, np.pi)) + drop * ((1 - np.cos(angle)) / 2) ** 1.1 * 1.3
    inner = np.clip(z, form.level(0.02), form.level(0.98))
    half_width, half_depth, middle = form.cage(inner)
    y_spine, x_spine = form.spine(np.full(1, start))
    x = side * (half_width + 3.5) * np.sin(angle) ** 0.8 + x_spine * np.cos(angle).clip(0)
    y = middle + (half_depth + 3.5) * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.8
    near = np.clip(1 - angle / 0.5, 0, 1)
    y = y * (1 - near) + (y_spine + 14) * near
    radius = np.interp(angle, [0.1, 0.5, 1.6, 2.35], [3.6, 4.6, 5.2, 5.8]) * (0.85 if number in (1, 11) else 1.0)
    return _tube(np.stack([z, y, x], 1), radius * form.half_width / 134)


def _clavicle(form: Form, side: float) -> Tube:
    share = np.linspace(0, 1, 18)
    depth, front = form.cage(np.array(form.level(0.12)))[1:]
    rise = form.clavicle_rise + side * form.clavicle_tilt
    z = form.level(0.15) - rise * share**1.3 + 5 * np.sin(share * 2 * np.pi)
    y = front - depth - 8 + 55 * share + 9 * np.sin(share * 2 * np.pi)
    x = side * (17 + (0.86 * form.shoulder - 17) * share)
    radius = np.interp(share, [0, 0.12, 0.5, 0.85, 1], [8.5, 6.4, 5.3, 6.0, 7.5])
    return _tube(np.stack([z, y, x], 1), radius)


def _shoulder(form: Form, side: float) -> dict[str, Tube]:
    joint = np.array([form.apex + 48, 30, side * 0.88 * form.shoulder])
    out = 0.62 * form.half_width + form.scapula_gap + 30
    back = 0.85 * form.half_depth
    upper = np.array([form.level(0.06), back - 8, side * (out - 24)])
    tip = np.array([form.level(0.56), back, side * (out + 2)])
    neck = _off(joint, 6, 10, -side * 22)
    blade = [upper * (1 - t) + tip * t for t in np.linspace(0, 1, 6)]
    return {
        "scapula_medial": _tube(blade, [2.5] * 6),
        "scapula_lateral": _tube([neck, _off((neck + tip) / 2, 0, 0, -side * 4), tip], [6, 4.5, 3.5]),
        "scapula_spine": _tube([blade[1], (blade[1] + joint) / 2, _off(joint, -20, 12, side * 4)], [2.5, 4, 6]),
        "scapula_upper": _tube([upper, _off(neck, -16, 0, -side * 4), neck], [2.2, 3, 6]),
        "glenoid": _tube([_off(neck, -12, 0, side * 5), _off(neck, 14, 0, side * 3)], [6, 6]),
        "humerus_head": _tube([joint, _off(joint, 3, 0, side * 2)], [22, 22]),
        "humerus": _tube([_off(joint, 10, 0, side * 6), (form.level(1.3), 10, side * (form.shoulder + 8))], [13, 10]),
    }


def _off(point: Array, z: float, y: float, x: float) -> Array:
    return point + np.array([z, y, x])


def vertebrae(form: Form, numbers: Iterable[int]) -> dict[str, Tube]:
    """Bodies, arches and processes by number: 1 is T1; below 1 the neck, above 12 the loins."""
    bones = {}
    pitch = 0.089 * form.lung_height
    for number in numbers:
        z = form.level(-0.03) + (number - 1) * pitch
        y, x = (float(v) for v in form.spine(np.array(z)))
        radius = 12.5 + 0.35 * max(number, -2)
        half = pitch * 0.30
        bones[f"vertebra{number}"] = _tube([(z - half, y, x), (z + half, y, x)], [radius * 0.45] * 2)
        bones[f"endplates{number}"] = _tube([(z + half + 4, y, x - radius), (z + half + 4, y, x + radius)], [2.2] * 2)
        for name, side in NAMES:
            pedicle = np.array([z - 3, y + 16, x + side * radius * 0.75])
            bones[f"pedicle{number}_{name}"] = _tube([pedicle, _off(pedicle, 5, 4, 0)], [3.6, 3.6])
            edge = np.array(
                [(z - half, y, x + side * radius), (z, y, x + side * (radius - 2)), (z + half, y, x + side * radius)]
            )
            bones[f"vertebra_edge{number}_{name}"] = _tube(edge, [2.4, 2.0, 2.4])
            wing = [_off(pedicle, 2, 8, side * 3), _off(pedicle, 0, 12, side * 15)]
            bones[f"transverse{number}_{name}"] = _tube(wing, [3.6, 3.0])
        bones[f"spinous{number}"] = _tube([(z + 6, y + 30, x), (z + 17, y + 38, x)], [3.2, 3.6])
    return bones
