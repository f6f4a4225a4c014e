"""Anatomical points of the phantom, in 3D; their projections are exact landmarks."""

from __future__ import annotations

import numpy as np

from .anatomy import Form, dome_height
from .solids import Array, Tube


def landmarks(form: Form, bones: dict[str, Tube]) -> dict[str, tuple[float, float, float]]:
    """Anatomical points (z, y, x) in mm: six pairs and four on the midline."""
    points: dict[str, tuple[float, float, float]] = {}
    for name, side, lower in (("right", -1.0, 0.0), ("left", 1.0, form.dome_step)):
        points[f"lung_apex_{name}"] = (form.apex + 2, 22.0, side * 0.36 * form.half_width)
        points[f"dome_{name}"] = (form.dome_top + lower, -10.0, side * 0.5 * form.half_width)
        points[f"costophrenic_{name}"] = _costophrenic(form, side)
        points[f"hilum_{name}"] = (form.level(form.hilum_share), 4.0, side * 36.0)
        clavicle = bones[f"clavicle_{name}"].points
        points[f"clavicle_medial_{name}"] = _point(clavicle[0])
        points[f"rib6_lateral_{name}"] = _point(max(bones[f"rib6_{name}"].points, key=lambda p: abs(p[2])))
    for name, level in (("vertebra_t1", -0.03), ("vertebra_t10", 0.86)):
        y, x = form.spine(np.array(form.level(level)))
        points[name] = (form.level(level), float(y), float(x))
    points["carina"] = (form.level(0.36), 10.0, 0.0)
    points["aortic_arch"] = (form.level(0.27) + 4, 14.0, form.aorta_bulge * 0.7)
    return points


def _costophrenic(form: Form, side: float) -> tuple[float, float, float]:
    # Lowest lateral point of the lung at the depth of the dome: where cage and diaphragm meet.
    z = np.linspace(form.level(0.7), form.level(1.06), 400)
    half_width, half_depth, middle = form.cage(z)
    x = side * half_width * (1 - np.abs((-10 - middle) / half_depth) ** 2.7) ** (1 / 2.7)
    meet = int(np.argmin(np.abs(dome_height(form, np.full_like(z, -10.0), x) - z)))
    return float(z[meet]), -10.0, float(x[meet])


def _point(values: Array) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
