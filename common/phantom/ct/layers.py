"""Painting solids onto a voxel grid: Hounsfield units with soft edges, and organ names with hard ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..solids import Array, Solid, nearby

AIR, FAT, MUSCLE, BLOOD = -1000.0, -100.0, 50.0, 42.0
BACKGROUND = "background"
SLAB = 48  # slices painted at a time, so that large volumes need little memory


class Layer(NamedTuple):
    """One thing to paint; later layers lie on top of earlier ones.

    Args:
        solid: its shape.
        hounsfield: at y = 0; None renames what is there and leaves its brightness.
        label: name of the structure; None keeps the name that is there, so that a nodule belongs to its lobe.
        within: only voxels of these names are painted; empty for all.
        slope: Hounsfield units per mm towards the back: the lung of a patient who lies on the back is denser there.
    """

    solid: Solid
    hounsfield: float | None
    label: str | None = None
    within: tuple[str, ...] = ()
    slope: float = 0.0


class Grid(NamedTuple):
    """Positions of all voxels in patient coordinates, each (D, H, W) float32 mm; D runs from the feet to the head."""

    z: Array
    y: Array
    x: Array
    spacing: tuple[float, float, float]


def paint(layers: Iterable[Layer], grid: Grid, names: Sequence[str]) -> tuple[Array, Array]:
    """Sample layers on a grid.

    Args:
        layers: in painting order.
        grid: where.
        names: starts with `BACKGROUND`; every label of a layer occurs.

    Returns:
        Hounsfield units (D, H, W) float32 and indices into `names` (D, H, W) uint8.
    """
    index = {name: number for number, name in enumerate(names)}
    layers = list(layers)
    hounsfield = np.full(grid.z.shape, AIR, np.float32)
    labels = np.zeros(grid.z.shape, np.uint8)
    softness = float(np.mean(grid.spacing))  # a voxel cut in half shows half of the organ: partial volume
    for first in range(0, len(labels), SLAB):
        slab = slice(first, first + SLAB)
        place = grid.z[slab], grid.y[slab], grid.x[slab]
        for layer in layers:
            near = nearby(*place, layer.solid.low, layer.solid.high)
            if near is not None:
                _paint_one(
                    layer, [axis[near] for axis in place], hounsfield[slab][near], labels[slab][near], index, softness
                )
    return hounsfield, labels


def _paint_one(
    layer: Layer, place: list[Array], hounsfield: Array, labels: Array, index: dict[str, int], softness: float
) -> None:
    # `hounsfield` and `labels` are views and are painted in place.
    allowed: Array | bool = True
    if layer.within:
        allowed = np.isin(labels, [index[name] for name in layer.within])
        if not allowed.any():
            return
    distance = layer.solid.value(*place)
    if layer.hounsfield is not None:
        share = np.clip(0.5 - distance / softness, 0, 1) * allowed
        hounsfield += share * (layer.hounsfield + layer.slope * place[1] - hounsfield)
    if layer.label is not None:
        labels[(distance < 0) & allowed] = index[layer.label]
