"""The same patient on a voxel grid: organ labels and Hounsfield units, for a CT."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from .findings import Placed
from .patient import Patient
from .solids import Array, Solid, union

AIR, BONE, BLOOD, LUNG, MUSCLE = -1000.0, 500.0, 45.0, -720.0, 40.0
SLAB = 16  # slices evaluated at a time


class Volume(NamedTuple):
    """A voxel grid in patient coordinates: axes are (z, y, x), z to the feet, y to the back, x to the left.

    Args:
        hounsfield: (Z, Y, X) float32.
        labels: (Z, Y, X) uint8, 0 is outside of the patient; `names[k]` is the structure labelled k.
        names: structures; the last one painted wins where they overlap.
        origin: (z, y, x) in mm of the centre of the first voxel.
    """

    hounsfield: Array
    labels: Array
    names: tuple[str, ...]
    origin: tuple[float, float, float]


def voxelise(
    patient: Patient, present: Iterable[Placed] = (), spacing: tuple[float, float, float] = (3.0, 2.0, 2.0)
) -> Volume:
    """Sample a patient on a grid that holds the whole chest.

    Args:
        patient: from `make_patient`.
        present: findings to put in, from `place_findings`; an enlarged heart replaces the heart.
        spacing: (z, y, x) in mm, each above 0.
    """
    if min(spacing) <= 0:
        raise ValueError(f"spacing is {spacing}; every entry must be above 0 mm")
    form = patient.form
    wide, deep = form.half_width + form.wall + 60, form.half_depth + form.wall + 50
    low, high = (form.apex - 30, -deep, -wide), (form.level(1.15), deep, wide)
    axes = [np.arange(a, b, s, dtype=np.float32) for a, b, s in zip(low, high, spacing, strict=True)]
    layers = _layers(patient, {item.name: item for item in present})
    names = ("background", *layers)
    shape = tuple(len(axis) for axis in axes)
    hounsfield, labels = np.full(shape, AIR, np.float32), np.zeros(shape, np.uint8)
    for first in range(0, shape[0], SLAB):
        z, y, x = np.meshgrid(axes[0][first : first + SLAB], axes[1], axes[2], indexing="ij")
        for number, (solid, density) in enumerate(layers.values(), start=1):
            inside = solid.value(z, y, x) < 0
            hounsfield[first : first + SLAB][inside] = density
            labels[first : first + SLAB][inside] = number
    return Volume(hounsfield, labels, names, low)


def _layers(patient: Patient, present: Mapping[str, Placed]) -> dict[str, tuple[Solid, float]]:
    trunk = patient.trunk_with(present.get("Cardiomegaly"))
    layers: dict[str, tuple[Solid, float]] = {"body": (trunk.body, MUSCLE)}
    layers |= {name: (solid, LUNG) for name, solid in trunk.lungs.items()}
    layers["vessel"] = (union(*(tube.solid for tube in patient.vessels)), BLOOD)
    layers["heart"] = (trunk.heart, BLOOD)
    layers |= {organ.name: (organ.solid, organ.hounsfield) for organ in trunk.organs}
    layers["airway"] = (union(*(tube.solid for tube in patient.airways.values())), AIR)
    lesions = {name: item for name, item in present.items() if name != "Cardiomegaly"}
    layers |= {name: (item.solid, AIR + item.density * (MUSCLE - AIR)) for name, item in lesions.items()}
    clavicles = [tube.solid for name, tube in patient.bones.items() if name.startswith("clavicle")]
    others = [tube.solid for name, tube in patient.bones.items() if not name.startswith("clavicle")]
    layers["clavicle"] = (union(*clavicles), BONE)
    layers["bone"] = (union(*others), BONE)
    return layers
