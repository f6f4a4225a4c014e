"""A cone beam through the solids: path lengths (Beer-Lambert needs only those), silhouettes and projected points.

The detector is the plane y' = 0 through the isocentre in beam coordinates (z', y', x'); a point is magnified by
`distance / (distance + y')`, so what lies towards the tube (negative y') looks larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .solids import Array, Solid, Tube

BLOCK = 80_000  # points evaluated at a time: the work arrays stay in the processor's cache


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
        flip: True when the beam enters from the back (PA), so that the back is magnified; the image is hung alike.
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
        """Project patient points (N, 3): (N, 2) fractions (row, col) of the image, and (N,) magnification."""
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
        depth, mask = np.empty(shape, np.float32), np.empty(shape, bool)
        height = max(BLOCK // (count * shape[1]), 1)
        for top in range(0, shape[0], height):
            block = slice(top, min(top + height, shape[0]))
            part = slice(rows.start + block.start, rows.start + block.stop)
            value = solid.value(*self._rays(planes, part, cols, grid))
            mask[block] = value.min(0) < 0
            value *= -1 / width
            value += 0.5
            depth[block] = np.clip(value, 0, 1, out=value).sum(0) * width
        return Patch(rows, cols, depth, mask)

    def _rays(self, planes: Array, rows: slice, cols: slice, grid: int) -> tuple[Array, Array, Array]:
        # Patient coordinates (depth, row, col) of samples on the rays; a rotation's inverse is its transpose.
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

    def tubes(self, tubes: Sequence[Tube], hollow: float = 0.0, inner: float = 0.6) -> Array:
        """Summed path length through tubes, analytic per segment; joints are cut square, ends are round.

        Args:
            tubes: any number.
            hollow: share of the density missing inside (marrow), in [0, 1].
            inner: inner radius as a share of the outer radius.

        Returns:
            (S, S) float32 in mm.
        """
        canvas = np.zeros(self.size * self.size)
        segments = self._segments(tubes)
        sides = np.exp2(np.ceil(np.log2(np.maximum(segments.reach, 4)) * 2) / 2).astype(int)
        for side in np.unique(sides):
            index, _, through = segments.pick(sides == side).chords(int(side), self.size, hollow, inner)
            canvas += np.bincount(index, through, minlength=canvas.size)
        return canvas.reshape(self.size, self.size).astype(np.float32)

    def silhouette(self, tube: Tube) -> Array:
        """(S, S) bool: pixels whose ray meets the tube."""
        mask = np.zeros(self.size * self.size, bool)
        segments = self._segments([tube], every_end=True)
        index, off, _ = segments.chords(int(segments.reach.max()) + 1, self.size)
        mask[index[off < 1]] = True
        return mask.reshape(self.size, self.size)

    def _segments(self, tubes: Sequence[Tube], every_end: bool = False) -> Segments:
        pixel = np.array(self.field) / self.size
        spots, scale = self.points(np.concatenate([tube.points for tube in tubes]))
        flat = (spots * self.size - 0.5) * pixel  # millimetres at the isocentre, 0 at the first pixel's centre
        depth = np.concatenate([tube.points for tube in tubes]) @ self.rotation.T[:, 1]
        radii = np.concatenate([tube.radii for tube in tubes]) * scale
        ends = np.cumsum([len(tube.radii) for tube in tubes])
        first = np.zeros(len(radii), bool)
        last = np.zeros(len(radii), bool)
        first[np.r_[0, ends[:-1]]] = last[ends - 1] = True
        keep = ~last[:-1]
        return Segments(
            start=flat[:-1][keep],
            stop=flat[1:][keep],
            radius=np.stack([radii[:-1], radii[1:]], 1)[keep],
            rise=np.abs(np.diff(depth))[keep],
            scale=scale[:-1][keep],
            ends=np.stack([first[:-1], last[1:]], 1)[keep] | every_end,
            pixel=pixel,
        )


@dataclass(frozen=True)
class Segments:
    """Projected pieces of tubes, N of them, in millimetres at the isocentre."""

    start: Array  # (N, 2) row, col
    stop: Array  # (N, 2)
    radius: Array  # (N, 2) magnified, at start and stop
    rise: Array  # (N,) extent along the beam
    scale: Array  # (N,) magnification
    ends: Array  # (N, 2) bool: round at start, at stop
    pixel: Array  # (2,) pixel size

    @property
    def reach(self) -> Array:
        """(N,) pixels on the longer side of the piece's box."""
        extent = np.abs(self.stop - self.start) + 2 * self.radius.max(1)[:, None]
        return np.ceil((extent / self.pixel).max(1)) + 2

    def pick(self, chosen: Array) -> Segments:
        """A subset by bool mask."""
        names = ("start", "stop", "radius", "rise", "scale", "ends")
        return Segments(pixel=self.pixel, **{name: getattr(self, name)[chosen] for name in names})

    def chords(self, side: int, size: int, hollow: float = 0.0, inner: float = 0.6) -> tuple[Array, Array, Array]:
        """For `side` x `side` pixels each: flat index, squared distance from the axis in radii, path length in mm."""
        low = np.minimum(self.start, self.stop) - self.radius.max(1)[:, None]
        corner = np.floor(low / self.pixel).astype(int)
        steps = np.arange(side)
        rows, cols = corner[:, :1] + steps, corner[:, 1:] + steps
        seen = ((rows >= 0) & (rows < size))[:, :, None] & ((cols >= 0) & (cols < size))[:, None, :]
        dz = (rows * self.pixel[0] - self.start[:, :1]).astype(np.float32)[:, :, None]
        dx = (cols * self.pixel[1] - self.start[:, 1:]).astype(np.float32)[:, None, :]
        az, ax = (v.astype(np.float32)[:, None, None] for v in (self.stop - self.start).T)
        flat = np.maximum(az * az + ax * ax, 1e-6)
        along = (dz * az + dx * ax) / flat
        seen &= ((along >= 0) | self.ends[:, :1, None]) & ((along < 1) | self.ends[:, 1:, None])
        share = np.clip(along, 0, 1)
        r0, r1 = (v.astype(np.float32)[:, None, None] for v in self.radius.T)
        radius = r0 + share * (r1 - r0)
        off = ((dz - share * az) ** 2 + (dx - share * ax) ** 2) / (radius * radius)
        seen &= off < 1
        which, row, col = np.nonzero(seen)
        off, radius, between = off[seen], radius[seen], (along[seen] >= 0) & (along[seen] <= 1)
        through = np.sqrt(1 - off)
        if hollow:
            through -= hollow * inner * np.sqrt(np.clip(1 - off / inner**2, 0, 1))
        # A piece that runs along the beam is crossed lengthwise, but never for more than a few diameters.
        oblique = np.minimum(np.sqrt(1 + self.rise**2 / flat[:, 0, 0]), 2.4)
        through *= 2 * radius * np.where(between, oblique[which], 1.0) / self.scale[which]
        return rows[which, row] * size + cols[which, col], off, through
