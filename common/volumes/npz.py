"""CT volumes as RAD-ChestCT publishes them: NumPy archives without a header."""

import math
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from ..files.bounded import DEFLATE, check_declared
from ..files.errors import Unusable
from .hounsfield import hounsfield

ARRAY = "ct"
SPACING = 0.8  # mm along every axis, by the publisher's resampling
FIRST_AXIS = -1.0  # its first axis runs from head to feet, the others to the back and the left as ours do


def load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the volume in Hounsfield units, axes as in the file, and its affine; its origin is unknown and 0.

    Source: Draelos et al. 2021 and its code `ct-volume-preprocessing`: axis 0 is named by "sup" and "inf", axis 1
    by "ant" and "pos", axis 2 by "rig" and "lef", each from the first index to the last.

    Raises:
        Unusable: no array of that name, one of Python objects, or a header that declares more than the file holds.
    """
    with np.load(path, allow_pickle=False) as archive:
        if ARRAY not in archive.files:
            there = ", ".join(archive.files) or "nothing"
            raise Unusable(f"it has no array '{ARRAY}' (it holds {there})", "Only RAD-ChestCT's .npz files are read")
        _check_size(archive.zip)
        values = archive[ARRAY]
    return hounsfield(values), np.diag([FIRST_AXIS * SPACING, SPACING, SPACING, 1.0])


def _check_size(archive: ZipFile) -> None:
    member = archive.getinfo(f"{ARRAY}.npy")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(file)
    if kind.hasobject:
        raise Unusable(f"its array '{ARRAY}' holds Python objects", "They could run code and are not read")
    check_declared(math.prod(shape) * kind.itemsize, member.compress_size, DEFLATE)
