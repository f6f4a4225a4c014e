"""Small pictures for the trees that readers' tests build."""

from pathlib import Path

import numpy as np
from PIL import Image


def save_grey(path: Path, seed: int = 0, size: tuple[int, int] = (8, 8), colours: int = 1) -> Path:
    """Write noise of (height, width), the same for the same seed, in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size if colours == 1 else (*size, colours)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, shape, np.uint8)).save(path)
    return path


def by_name(corpus):
    """Name of the file -> record."""
    return {Path(record.image).name: record for record in corpus.records}
