"""Five lobes: the lungs divided by the oblique and the horizontal fissure."""

from __future__ import annotations

import numpy as np

from ..anatomy import Form, Trunk
from ..solids import Array, Solid, difference, intersection
from .layers import Layer

LOBES = (
    "lung_upper_lobe_left",
    "lung_lower_lobe_left",
    "lung_upper_lobe_right",
    "lung_middle_lobe_right",
    "lung_lower_lobe_right",
)


def above_oblique(form: Form, box: Solid) -> Solid:
    """All of a box in front of and above the oblique fissure, which falls from the back to the diaphragm in front."""
    back, front = 0.8 * form.half_depth, -0.8 * form.half_depth
    top, bottom = form.level(form.oblique), form.level(1.0)
    slope = (bottom - top) / (back - front)

    def value(z: Array, y: Array, x: Array) -> Array:
        # A gentle bulge: real fissures are not flat.
        bulge = 6 * np.sin(np.clip((back - y) / (back - front), 0, 1) * np.pi)
        return (z - top - slope * (back - y) - bulge) / np.sqrt(1 + slope * slope)

    return Solid(value, box.low, box.high)


def below_horizontal(form: Form, box: Solid) -> Solid:
    """All of a box below the horizontal fissure, which tilts a little towards the front."""
    height = form.level(form.horizontal)
    return Solid(lambda z, y, x: height - 0.1 * y - z, box.low, box.high)


def build_lobes(trunk: Trunk) -> dict[str, Solid]:
    """The lobes as solids, by TotalSegmentator's names."""
    form, left, right = trunk.form, trunk.lungs["lung_left"], trunk.lungs["lung_right"]
    front, low = above_oblique(form, right), below_horizontal(form, right)
    return {
        "lung_upper_lobe_left": intersection(left, above_oblique(form, left)),
        "lung_lower_lobe_left": difference(left, above_oblique(form, left)),
        "lung_upper_lobe_right": difference(intersection(right, front), low),
        "lung_middle_lobe_right": intersection(right, front, low),
        "lung_lower_lobe_right": difference(right, front),
    }


def lobe_layers(trunk: Trunk, hounsfield: float, slope: float) -> list[Layer]:
    """Paint the lungs, then name their parts: a lung's own shape is the costly one and is computed once."""
    form, left, right = trunk.form, trunk.lungs["lung_left"], trunk.lungs["lung_right"]
    upper_left, lower_left, upper_right, middle_right, lower_right = LOBES
    return [
        Layer(left, hounsfield, lower_left, slope=slope),
        Layer(above_oblique(form, left), None, upper_left, within=(lower_left,)),
        Layer(right, hounsfield, lower_right, slope=slope),
        Layer(above_oblique(form, right), None, upper_right, within=(lower_right,)),
        Layer(below_horizontal(form, right), None, middle_right, within=(upper_right,)),
    ]
