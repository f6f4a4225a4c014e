"""From path integrals to the grey picture: scatter, quantum noise, blur, processing and tone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from .solids import Array


@dataclass(frozen=True)
class Exposure:
    """How one image is taken and processed."""

    hardness: float  # scales bone against soft tissue: low for a hard beam
    scatter: float  # scattered share of the mean signal
    dose: float  # quanta per pixel in air, at 256 px
    blur: float  # pixels of a 256 px image
    equalise: float  # share of the coarse brightness removed, as digital processing does
    sharpen: float
    window: tuple[float, float]  # percentiles of the patient's brightness that become black and white
    gamma: float
    haze: float  # grey level of the darkest parts, in [0, 1]
    ceiling: float  # grey level of the brightest parts, in [0, 1]


def sample_exposure(rng: np.random.Generator, bedside: bool) -> Exposure:
    """Draw the exposure of one image; bedside images are flatter and noisier."""
    return Exposure(
        hardness=float(rng.uniform(0.75, 1.15)),
        scatter=float(rng.uniform(0.5, 1.6) if bedside else rng.uniform(0.1, 0.7)),
        dose=float(np.exp(rng.uniform(np.log(2.5e4), np.log(2e5)) if bedside else rng.uniform(np.log(6e4), np.log(6e5)))),
        blur=float(rng.uniform(0.3, 0.7)),
        equalise=float(rng.uniform(0.0, 0.45)),
        sharpen=float(rng.uniform(0.0, 0.9)),
        window=(float(rng.uniform(0.2, 6)), float(rng.uniform(93, 99.8))),
        gamma=float(np.exp(rng.normal(0.0 if not bedside else -0.1, 0.2))),
        haze=float(np.clip(rng.normal(0.02, 0.05), 0, 0.25)),
        ceiling=float(np.clip(rng.normal(0.95, 0.08), 0.7, 1.0)),
    )


def expose(path: Array, body: Array, exposure: Exposure, rng: np.random.Generator) -> Array:
    """Turn path integrals into a picture.

    Args:
        path: (S, S) line integral of attenuation along each ray.
        body: (S, S) bool, rays that meet the patient; the window is set on them.
        exposure: how the image is taken.
        rng: noise.

    Returns:
        (S, S) float in [0, 1]; bone is bright.
    """
    size = path.shape[0]
    unit = size / 256
    primary = np.exp(-path)
    scattered = gaussian_filter(primary, 22 * unit) * exposure.scatter * 0.35 + exposure.scatter * 0.25 * np.median(primary[body])
    signal = primary + scattered
    quanta = exposure.dose * signal * 256 / size
    grain = gaussian_filter(rng.standard_normal(path.shape), 0.45 * unit + 0.1)
    signal = signal * (1 + grain / max(float(grain.std()), 1e-6) / np.sqrt(quanta))
    bright = -np.log(np.maximum(gaussian_filter(signal, exposure.blur * unit), 1e-6))
    bright = bright - exposure.equalise * gaussian_filter(bright, 30 * unit)
    bright = bright + exposure.sharpen * (bright - gaussian_filter(bright, 3.0 * unit))
    low, high = np.percentile(bright[body], exposure.window)
    tone = np.clip((bright - low) / max(high - low, 1e-6), 0, 1) ** exposure.gamma
    return exposure.haze + (exposure.ceiling - exposure.haze) * tone
