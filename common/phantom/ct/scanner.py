"""The scanner: where the patient lies, how finely it samples, and how its pictures blur and grain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from ..anatomy import Form
from ..solids import Array
from .layers import Grid

PADDING = -8192  # what some scanners write outside of the circle they reconstruct


class Position(NamedTuple):
    """How the patient of one scan lies.

    Args:
        shift: (z, y, x) in mm from the scanner's centre to the patient's.
        roll: radians about the long axis.
        breath: mm by which the diaphragm stands higher than in the patient's form.
    """

    shift: tuple[float, float, float]
    roll: float
    breath: float


class Protocol(NamedTuple):
    """How one series or reconstruction is made.

    Args:
        size: rows and columns.
        field: mm that they cover.
        thickness: mm between slices.
        sharp: the kernel: 0 soft, 1 sharp.
        noise: standard deviation in Hounsfield units.
        padded: whether voxels outside of the inscribed circle hold `PADDING`.
    """

    size: int
    field: float
    thickness: float
    sharp: float
    noise: float
    padded: bool


def sample_position(rng: np.random.Generator) -> Position:
    """Draw one scan's position."""
    shift = rng.normal(0, 1, 3) * [150, 8, 9]
    return Position(
        (float(shift[0]), float(shift[1]), float(shift[2])),
        float(np.clip(rng.normal(0, 0.035), -0.09, 0.09)),
        float(np.clip(rng.normal(6, 11), -18, 30)),
    )


def sample_protocol(rng: np.random.Generator, form: Form, size: int, thickness: float) -> Protocol:
    """Draw one reconstruction's settings.

    Args:
        rng: of the reconstruction.
        form: the field of view follows the patient's width.
        size: rows and columns.
        thickness: mm; a reconstruction has 0.8, 1 or 1.25 times as much.
    """
    sharp, factor = float(rng.random()), float(rng.choice([0.8, 1.0, 1.25]))
    field = 2 * (form.half_width + form.wall) * float(rng.uniform(1.02, 1.14)) + 10
    # Less noise in thick slices; the squares of voxel and noise go together.
    noise = float(rng.uniform(9, 17)) * (0.8 + 0.5 * sharp) / np.sqrt(factor)
    return Protocol(size, field, thickness * factor, sharp, noise, bool(rng.random() < 0.3))


def make_grid(
    protocol: Protocol, position: Position, low: float, high: float
) -> tuple[Grid, tuple[float, float, float]]:
    """Voxel positions in the patient, and where the first voxel lies in the scanner.

    Args:
        protocol: sampling.
        position: of the patient.
        low: height in patient coordinates where the scan ends towards the feet (the larger z).
        high: where it ends towards the head.

    Returns:
        The grid, with D from the feet to the head, and the first voxel's (z, y, x) in mm in the scanner, z to the head,
        y to the back, x to the left.
    """
    pixel = protocol.field / protocol.size
    across = (np.arange(protocol.size) - (protocol.size - 1) / 2) * pixel
    count = int(np.floor((low - high) / protocol.thickness)) + 1
    heights = low - np.arange(count) * protocol.thickness
    z, y, x = np.meshgrid(heights, across - position.shift[1], across - position.shift[2], indexing="ij")
    cos, sin = np.cos(position.roll), np.sin(position.roll)
    z, y, x = (part.astype(np.float32) for part in (z, cos * y - sin * x, sin * y + cos * x))
    origin = (float(position.shift[0] - low), float(across[0]), float(across[0]))
    return Grid(z, y, x, (protocol.thickness, pixel, pixel)), origin


def expose(hounsfield: Array, protocol: Protocol, rng: np.random.Generator) -> Array:
    """Blur, grain, round and pad.

    Args:
        hounsfield: (D, H, W) float32, the patient.
        protocol: settings.
        rng: of the grain.

    Returns:
        (D, H, W) int16.
    """
    width = 0.62 - 0.25 * protocol.sharp  # voxels
    picture = gaussian_filter(hounsfield, (0.4, width, width))
    grain = rng.standard_normal(picture.shape, dtype=np.float32)
    # Filtered back projection passes middle frequencies most: the noise of a soft kernel is coarser.
    fine = 0.9 - 0.4 * protocol.sharp
    grain = gaussian_filter(grain, (0.3, fine, fine)) - 0.6 * gaussian_filter(grain, (0.3, 2 * fine, 2 * fine))
    picture += grain * np.float32(protocol.noise / grain.std())
    stored = np.clip(np.round(picture), -1024, 3071).astype(np.int16)
    if protocol.padded:
        middle = (protocol.size - 1) / 2
        rows, cols = np.mgrid[: protocol.size, : protocol.size] - middle
        stored[:, rows * rows + cols * cols > (protocol.size / 2) ** 2] = PADDING
    return stored
