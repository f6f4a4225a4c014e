"""From path integrals to the grey picture: scatter, quantum noise, blur, processing and tone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from .solids import Array

# Grey levels that processed chest radiographs have at these percentiles of the picture: mean and three principal
# variations, one standard deviation each. Measured on 1,000 ChestX-ray14 images (black borders left out): every maker's
# processing aims at such levels.
PERCENTILES = (0.5, 3, 8, 18, 32, 50, 68, 82, 92, 97, 99.7)
LEVELS = np.array([0.044, 0.103, 0.225, 0.378, 0.492, 0.597, 0.688, 0.764, 0.822, 0.853, 0.887])
VARIATIONS = np.array(
    [
        [-0.017, -0.05, -0.095, -0.108, -0.11, -0.105, -0.088, -0.066, -0.05, -0.042, -0.031],
        [-0.004, -0.03, -0.059, -0.043, -0.017, 0.013, 0.036, 0.047, 0.05, 0.049, 0.051],
        [-0.007, -0.048, -0.038, 0.026, 0.031, 0.019, 0.003, -0.008, -0.013, -0.013, -0.017],
    ]
)


@dataclass(frozen=True)
class Exposure:
    """How one image is taken and processed.

    Args:
        scatter: scattered share of the signal.
        dose: quanta per pixel in air, at 256 px.
        blur: pixels of a 256 px image.
        equalise: share of the coarse brightness removed, as digital processing does, in [0, 1].
        sharpen: gain of the details.
        levels: target grey level at each of PERCENTILES, in [0, 1], rising.
        adapt: how far the tone curve is bent to reach the levels, in [0, 1]; at 0 only its two ends are set.
    """

    scatter: float
    dose: float
    blur: float
    equalise: float
    sharpen: float
    levels: Array
    adapt: float


def sample_exposure(rng: np.random.Generator, bedside: bool) -> Exposure:
    """Draw the exposure of one image; bedside images have more scatter and noise."""
    strength = np.clip(rng.standard_normal(3), -2.2, 2.2) + (np.array([-0.2, -0.4, 0.0]) if bedside else 0.1)
    levels = np.maximum.accumulate(np.clip(LEVELS + strength @ VARIATIONS, 0, 1))
    low, high = (2.5e4, 2e5) if bedside else (8e4, 8e5)
    return Exposure(
        scatter=float(rng.uniform(0.5, 1.3) if bedside else rng.uniform(0.1, 0.7)),
        dose=float(np.exp(rng.uniform(np.log(low), np.log(high)))),
        blur=float(rng.uniform(0.3, 0.65)),
        equalise=float(rng.uniform(0.0, 0.4)),
        sharpen=float(rng.uniform(0.1, 1.0)),
        levels=levels,
        adapt=float(rng.uniform(0.6, 1.0)),
    )


def expose(path: Array, exposed: Array, exposure: Exposure, rng: np.random.Generator) -> Array:
    """Turn path integrals into a picture.

    Args:
        path: (S, S) line integral of attenuation along each ray.
        exposed: (S, S) bool, inside of the collimator; the tone is set on it.
        exposure: how the image is taken.
        rng: noise.

    Returns:
        (S, S) float in [0, 1]; bone is bright.
    """
    unit = path.shape[0] / 256
    primary = np.exp(-path)
    middle = float(np.median(primary[exposed]))
    nearby = gaussian_filter(np.minimum(primary, 8 * middle), 18 * unit)
    signal = primary + exposure.scatter * (0.25 * nearby + 0.3 * middle)
    grain = gaussian_filter(rng.standard_normal(path.shape, dtype=np.float32), 0.5 * unit)
    signal = signal * (1 + grain / (float(grain.std()) * np.sqrt(exposure.dose * signal)))
    signal = np.minimum(signal, 25 * middle)  # the detector saturates in plain air
    bright = -np.log(np.maximum(gaussian_filter(signal, exposure.blur * unit), 1e-6))
    bright = bright - exposure.equalise * gaussian_filter(bright, 30 * unit)
    bright = bright + exposure.sharpen * (bright - gaussian_filter(bright, 2.5 * unit))
    knots = np.maximum.accumulate(np.percentile(bright[exposed], PERCENTILES) + 1e-6 * np.arange(len(PERCENTILES)))
    levels = exposure.levels
    ramp = levels[0] + (levels[-1] - levels[0]) * (knots - knots[0]) / (knots[-1] - knots[0])
    curve = exposure.adapt * levels + (1 - exposure.adapt) * ramp
    below, above = 2 * knots[0] - knots[1], 2 * knots[-1] - knots[-2]
    knots = np.concatenate([[below], knots, [above]])
    curve = np.concatenate([[max(curve[0] - 0.05, 0)], curve, [min(curve[-1] + 0.06, 1)]])
    return np.interp(bright, knots, curve)
