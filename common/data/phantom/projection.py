"""A cone beam through the solids: path lengths (Beer-Lambert needs only those), silhouettes and projected points.

The detector is the plane y' = 0 through the isocentre in beam coordinates (z', y', x'); a point is magnified by
`distance / (distance + y')`, so what lies towards the tube (negative y') looks larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .solids import Array, Solid, Tube


class Patch(NamedTuple):
    """What a solid leaves on the detector; zero outside of `rows`, `cols`."""

    rows: slice
    cols: slice
    depth: Array  # (h, w) float32, path length in mm
    mask: Array  # (h, w) bool, pixels whose ray meets the solid


@dataclass(frozen=True)
class Projector:
    """Where the patient stands in the beam, and the detector's pixel grid.

    Args:
        size: rows and columns of the square image.
        turn: radians (pitch, yaw, roll): leaning back, turning about the long axis, tilting in the image plane.
        shift: millimetres (z, x) of the patient's centre from the image's centre.
        field: millimetres (height, width) covered by the image at the isocentre.
        distance: millimetres from the tube to the isocentre; 1800 is a standing PA image, 1000 a bedside AP image.
        flip: True when the beam enters from the back (PA), so that the back is magnified; the image is hung the same way.
    """

    size: int
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shift: tuple[float, float] = (0.0, 0.0)
    field: tuple[float, float] = (400.0, 400.0)
    distance: float = 1800.0
    flip: bool = True

    @cached_property
    def rotation(self) -> Array:
        """(3, 3) matrix from patient to beam coordinates, both (z, y, x)."""
        pitch, yaw, roll = self.turn
        about_x = np.array([[np.cos(pitch), -np.sin(pitch), 0], [np.sin(pitch), np.cos(pitch), 0], [0, 0, 1]])
        about_z = np.array([[1, 0, 0], [0, np.cos(yaw), -np.sin(yaw)], [0, np.sin(yaw), np.cos(yaw)]])
        about_y = np.array([[np.cos(roll), 0, -np.sin(roll)], [0, 1, 0], [np.sin(roll), 0, np.cos(roll)]])
        return about_y @ about_x @ about_z

    def magnification(self, depth: Array) -> Array:
        """How much larger than at the isocentre something at beam depth y' appears."""
        return self.distance / (self.distance + (-depth if self.flip else depth))

    def points(self, positions: Array) -> tuple[Array, Array]:
        """Project patient points (N, 3) to (N, 2) fractions (row, col) of the image; also their magnification (N,)."""
        beam = np.atleast_2d(positions) @ self.rotation.T
        scale = self.magnification(beam[:, 1])
        rows = ((beam[:, 0] + self.shift[0]) * scale) / self.field[0] + 0.5
        cols = ((beam[:, 2] + self.shift[1]) * scale) / self.field[1] + 0.5
        return np.stack([rows, cols], 1), scale

    def solid(self, solid: Solid, step: float = 5.0, stride: int = 1) -> Patch:
        """Path length through a solid, by sampling the rays inside its box.

        Args:
            solid: what to project.
            step: mm between samples; surfaces are softened over one step, so path lengths stay smooth.
            stride: pixels between rays; above 1 the patch is on the coarse grid of every `stride`-th pixel.
        """
        corners = np.array(np.meshgrid(*zip(solid.low, solid.high, strict=True), indexing="ij")).reshape(3, -1).T
        depths = (corners @ self.rotation.T)[:, 1]
        reach = 0.6 * self.distance
        near, far = float(max(depths.min(), -reach)), float(min(depths.max(), reach))
        count = max(int(np.ceil((far - near) / step)), 3)
        width = (far - near) / count
        planes = near + (np.arange(count, dtype=np.float32) + 0.5) * width
        spots, _ = self.points(corners)
        grid = self.size // stride
        first = np.clip(np.floor(spots.min(0) * grid - 0.5), 0, grid).astype(int)
        last = np.clip(np.ceil(spots.max(0) * grid + 0.5), 0, grid).astype(int)
        rows, cols = slice(int(first[0]), int(last[0])), slice(int(first[1]), int(last[1]))
        shape = (rows.stop - rows.start, cols.stop - cols.start)
        if 0 in shape:
            return Patch(rows, cols, np.zeros(shape, np.float32), np.zeros(shape, bool))
        z, y, x = self._rays(planes, rows, cols, grid)
        value = solid.value(z, y, x)
        inside = np.clip(0.5 - value / np.float32(width), 0, 1).sum(0) * np.float32(width)
        return Patch(rows, cols, inside.astype(np.float32), value.min(0) < 0)

    def _rays(self, planes: Array, rows: slice, cols: slice, grid: int) -> tuple[Array, Array, Array]:
        # Patient coordinates (depth, row, col) of the samples on every ray; the rotation is orthogonal, so its inverse is its transpose.
        scale = self.magnification(planes)[:, None, None]
        v = (((np.arange(rows.start, rows.stop) + 0.5) / grid - 0.5) * self.field[0])[None, :, None]
        u = (((np.arange(cols.start, cols.stop) + 0.5) / grid - 0.5) * self.field[1])[None, None, :]
        v = (v / scale - self.shift[0]).astype(np.float32)
        u = (u / scale - self.shift[1]).astype(np.float32)
        depth = planes.astype(np.float32)[:, None, None]
        r = self.rotation.tolist()
        z = r[0][0] * v + (r[1][0] * depth + r[2][0] * u)
        y = r[0][1] * v + (r[1][1] * depth + r[2][1] * u)
        x = r[0][2] * v + (r[1][2] * depth + r[2][2] * u)
        return z, y, x

    def tube(self, tube: Tube, hollow: float = 0.0, inner: float = 0.6) -> Patch:
        """Path length through a tube, analytic per segment; the strongest segment counts where segments overlap.

        Args:
            tube: what to project.
            hollow: share of the density missing inside (marrow), in [0, 1].
            inner: inner radius as a share of the outer radius.
        """
        spots, scale = self.points(tube.points)
        pixel = np.array(self.field) / self.size
        centres = spots * self.size - 0.5
        radii = tube.radii * scale
        beam = tube.points @ self.rotation.T
        reach = radii.max() / pixel.min() + 1
        first = np.clip(np.floor(centres.min(0) - reach), 0, self.size).astype(int)
        last = np.clip(np.ceil(centres.max(0) + reach) + 1, 0, self.size).astype(int)
        rows, cols = slice(int(first[0]), int(last[0])), slice(int(first[1]), int(last[1]))
        depth = np.zeros((max(rows.stop - rows.start, 0), max(cols.stop - cols.start, 0)), np.float32)
        mask = np.zeros(depth.shape, bool)
        if depth.size == 0:
            return Patch(rows, cols, depth, mask)
        for k in range(len(radii) - 1):
            start, stop = centres[k] * pixel, centres[k + 1] * pixel  # millimetres at the isocentre
            edge = max(radii[k], radii[k + 1])
            low = np.clip(np.floor((np.minimum(start, stop) - edge) / pixel).astype(int) - first, 0, depth.shape)
            high = np.clip(np.ceil((np.maximum(start, stop) + edge) / pixel).astype(int) + 1 - first, 0, depth.shape)
            if (high <= low).any():
                continue
            dz = ((np.arange(low[0], high[0]) + first[0]) * pixel[0] - start[0])[:, None].astype(np.float32)
            dx = ((np.arange(low[1], high[1]) + first[1]) * pixel[1] - start[1])[None, :].astype(np.float32)
            az, ax = (float(v) for v in stop - start)
            flat = az * az + ax * ax
            share = np.clip((dz * az + dx * ax) / max(flat, 1e-6), 0, 1)
            radius = radii[k] + share * (radii[k + 1] - radii[k])
            off = ((dz - share * az) ** 2 + (dx - share * ax) ** 2) / (radius * radius)
            oblique = min(np.sqrt(1 + (beam[k + 1, 1] - beam[k, 1]) ** 2 / max(flat, 1e-6)), 3.5)
            through = np.sqrt(np.clip(1 - off, 0, 1))
            if hollow:
                through = through - hollow * inner * np.sqrt(np.clip(1 - off / inner**2, 0, 1))
            area = (slice(low[0], high[0]), slice(low[1], high[1]))
            np.maximum(depth[area], (2 * oblique / scale[k]) * radius * through, out=depth[area])
            mask[area] |= off < 1
        return Patch(rows, cols, depth, mask)
