"""JSRT's headerless .IMG: 2048 x 2048 big-endian 16-bit, 12 bits used, high is dark."""

from pathlib import Path

import numpy as np

from ...files.errors import Unusable
from .depth import scale
from .labels import Labels

SIDE = 2048
FILE_BYTES = SIDE * SIDE * 2
WHITE = 4095
STRAY = 0.001  # share of the values that may lie above the twelve bits


def is_radiograph(payload: bytes) -> bool:
    """Say whether these are as many values as a radiograph has, of 12 bits in its order of bytes.

    Other volumes of the same size exist; of those the byte that should be high holds noise.
    """
    return len(payload) == FILE_BYTES and bool((_values(payload) > WHITE).mean() <= STRAY)


def read(payload: bytes, path: Path) -> np.ndarray:
    """Return the picture with bone bright: intensity = 1 - clip(v, 0, 4095) / 4095."""
    return 255 - scale(np.minimum(_values(payload), WHITE), 0, WHITE)


def labels(payload: bytes, path: Path) -> Labels:
    """Refuse: the format holds radiographs alone."""
    raise Unusable("a raw radiograph is no mask", "Check the option masks")


def size(payload: bytes, path: Path) -> tuple[int, int]:
    """Return (H, W), which the format fixes."""
    return SIDE, SIDE


def _values(payload: bytes) -> np.ndarray:
    return np.frombuffer(payload, ">u2").reshape(SIDE, SIDE)
