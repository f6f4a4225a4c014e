"""JSRT's headerless .IMG: 2048 x 2048 big-endian 16-bit, 12 bits used, high is dark."""

from pathlib import Path

import numpy as np

from .depth import Unusable, scale

SIDE = 2048
FILE_BYTES = SIDE * SIDE * 2


def read(payload: bytes, path: Path) -> np.ndarray:
    """Return the picture with bone bright: intensity = 1 - clip(v, 0, 4095) / 4095."""
    values = np.frombuffer(payload, ">u2").reshape(SIDE, SIDE)
    return 255 - scale(np.minimum(values, 4095), 0, 4095)


def labels(payload: bytes, path: Path) -> np.ndarray:
    """Refuse: the format holds radiographs alone."""
    raise Unusable("a raw radiograph is no mask", "Check the option masks")


def size(payload: bytes, path: Path) -> tuple[int, int]:
    """Return (H, W), which the format fixes."""
    return SIDE, SIDE
