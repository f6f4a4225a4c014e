"""What lies on a radiograph besides the patient: side markers, labels, collimator edges, wires and electrodes."""

from __future__ import annotations

import numpy as np

from .projection import Projector
from .solids import Array


def add_marks(picture: Array, projector: Projector, bedside: bool, rng: np.random.Generator) -> Array:
    """Add marks to a picture in [0, 1] and quantise it to uint8."""
    return np.clip(np.round(picture * 255), 0, 255).astype(np.uint8)
