"""Pictures of noise, and the pixels that a store of them must have."""

import os

import numpy as np
from PIL import Image

COUNT, SIZE = 40, 16


def write(path, seed):
    """A picture whose file has one size whatever it shows, and as many pixels as an entry."""
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (SIZE, SIZE), np.uint8)).save(path)


def pixels(seed):
    return np.random.default_rng(seed).integers(0, 255, (SIZE, SIZE), np.uint8)


def whole():
    return np.stack([pixels(number) for number in range(COUNT)])


def cut(path):
    os.truncate(path, path.stat().st_size // 2)
