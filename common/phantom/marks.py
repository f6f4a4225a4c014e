"""What lies on a radiograph besides the patient: side markers, labels, collimator edges, wires and electrodes."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from .solids import Array


def sample_collimator(size: int, rng: np.random.Generator) -> Array:
    """(S, S) bool: the exposed part of the detector, often the whole picture, otherwise a slightly turned rectangle."""
    rows, cols = np.mgrid[0:size, 0:size] / (size - 1.0) - 0.5
    angle = rng.normal(0, 0.015)
    up, across = rows * np.cos(angle) - cols * np.sin(angle), rows * np.sin(angle) + cols * np.cos(angle)
    exposed = np.ones((size, size), bool)
    for distance in (up, -up, across, -across):
        edge, used = float(rng.exponential(0.016)), rng.random() < 0.45
        if used:
            exposed &= distance < 0.5 - min(edge, 0.07)
    return exposed


def sample_devices(size: int, bedside: bool, rng: np.random.Generator) -> Array:
    """(S, S) float: attenuation of wires, tubes, electrodes and clothing over the patient, mostly on bedside images."""
    scale = 2
    sheet = Image.new("F", (size * scale, size * scale), 0.0)
    draw = ImageDraw.Draw(sheet)
    unit = size * scale / 256
    if rng.random() < (0.75 if bedside else 0.12):
        for _ in range(int(rng.integers(1, 5))):
            spot = rng.uniform([30, 40], [226, 215]) * unit
            _wire(draw, spot, unit, rng)
            radius = rng.uniform(2, 5) * unit
            box = (spot[0] - radius, spot[1] - radius, spot[0] + radius, spot[1] + radius)
            draw.ellipse(box, outline=float(rng.uniform(0.2, 0.9)), width=int(rng.integers(1, 4)))
    if rng.random() < (0.5 if bedside else 0.06):
        _line(draw, unit, rng)
    if rng.random() < 0.06:
        corner = rng.uniform([40, 45], [190, 95]) * unit
        opposite = corner + rng.uniform(16, 26, 2) * unit
        draw.rounded_rectangle((*corner, *opposite), 5 * unit, fill=float(rng.uniform(1, 2)))
        _wire(draw, corner, unit, rng)
    small = sheet.resize((size, size), Image.Resampling.BOX)
    return gaussian_filter(np.asarray(small, dtype=np.float32), 0.4 * size / 256)


def _wire(draw: ImageDraw.ImageDraw, start: Array, unit: float, rng: np.random.Generator) -> None:
    # From an electrode in a lazy curve towards an edge of the picture.
    share = np.linspace(0, 1, 24)[:, None]
    stop = start + rng.normal(0, 1, 2) * 110 * unit + np.array([0, 60 * unit])
    bend = (start + stop) / 2 + rng.normal(0, 40, 2) * unit
    curve = (1 - share) ** 2 * start + 2 * share * (1 - share) * bend + share**2 * stop
    _curve(draw, curve, rng.uniform(0.15, 0.5), rng.uniform(0.4, 1.0) * unit)


def _line(draw: ImageDraw.ImageDraw, unit: float, rng: np.random.Generator) -> None:
    # A tube near the midline: windpipe tube, central line or feeding tube.
    top = np.array([128 + rng.normal(0, 14), -5])
    stop = np.array([128 + rng.normal(0, 16), rng.uniform(80, 240)])
    share = np.linspace(0, 1, 20)[:, None]
    curve = (top + (stop - top) * share + np.array([rng.normal(0, 12), 0]) * np.sin(share * np.pi)) * unit
    _curve(draw, curve, rng.uniform(0.12, 0.35), rng.uniform(0.5, 1.3) * unit)


def _curve(draw: ImageDraw.ImageDraw, curve: Array, attenuation: float, width: float) -> None:
    draw.line([(x, y) for x, y in curve.tolist()], fill=float(attenuation), width=max(int(width), 1))


def add_marks(picture: Array, exposed: Array, bedside: bool, rng: np.random.Generator) -> Array:
    """Black out what the collimator covers, burn in side marker and labels, and quantise.

    Args:
        picture: (S, S) float in [0, 1].
        exposed: (S, S) bool, inside of the collimator.
        bedside: whether the labels of a bedside image appear.
        rng: choice of marks.

    Returns:
        (S, S) uint8.
    """
    size = picture.shape[0]
    unit = size / 256
    covered = 0.0 if rng.random() < 0.94 else rng.uniform(0.8, 0.97)
    picture = np.where(exposed, picture, covered)
    sheet = Image.new("L", (size, size), 0)
    draw = ImageDraw.Draw(sheet)
    if rng.random() < 0.9:
        # The patient's left is on the image's right; both letters are used, and initials stand below.
        left = rng.random() < 0.85
        col = rng.uniform(212, 244) if left else rng.uniform(6, 36)
        spot = np.array([col, rng.uniform(4, 44)]) * unit
        _letter(draw, spot, "L" if left else "R", unit, rng)
    if bedside and rng.random() < 0.7:
        small = ImageFont.load_default(max(5.5 * unit, 5))
        spot = np.array([rng.choice([rng.uniform(6, 40), rng.uniform(190, 215)]), rng.uniform(20, 245)]) * unit
        draw.text(tuple(spot), "PORTABLE", fill=235, font=small)
        draw.text((spot[0] + 14 * unit, spot[1] - 9 * unit), "AP", fill=235, font=small)
        if rng.random() < 0.4:
            x, y = spot[0] + 6 * unit, spot[1] - 22 * unit
            draw.line((x, y, x, y + 9 * unit), fill=240, width=max(int(2 * unit), 1))
            draw.polygon([(x - 3 * unit, y + 2 * unit), (x, y - 3 * unit), (x + 3 * unit, y + 2 * unit)], fill=240)
    burnt = np.asarray(sheet, dtype=np.float32) / 255
    return np.clip(np.round(np.maximum(picture, burnt) * 255), 0, 255).astype(np.uint8)


def _letter(draw: ImageDraw.ImageDraw, spot: Array, letter: str, unit: float, rng: np.random.Generator) -> None:
    font = ImageFont.load_default(float(rng.uniform(8, 17)) * unit)
    fill = int(rng.uniform(225, 255))
    kind = rng.random()
    x, y = spot
    if kind < 0.25:
        draw.ellipse((x, y, x + 11 * unit, y + 11 * unit), outline=fill)
        draw.text((x + 3.5 * unit, y + 1.5 * unit), letter, fill=fill, font=ImageFont.load_default(7.5 * unit))
        return
    draw.text((x, y), letter, fill=fill, font=font)
    if kind > 0.55:
        initials = "".join(rng.choice(list("ABCDEGHJKMSTV"), 2))
        draw.text((x, y + 15 * unit), initials, fill=fill, font=ImageFont.load_default(8 * unit))
