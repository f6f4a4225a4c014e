"""Single-slice MetaImage pictures (.mha, and .mhd with its data file beside it) through ITK, whatever their name."""

from pathlib import Path

import numpy as np

from ...files.errors import Unusable
from .depth import check_area, check_single, scale_by_bits
from .labels import Labels, labels_of

MOST_VALUE_BYTES = 8  # of one channel


def read(payload: bytes, path: Path) -> np.ndarray:
    """Return the picture in the order of the file: rows, then columns."""
    values = _values(payload, path)
    return scale_by_bits(values[..., :3] if values.ndim == 3 else values)


def labels(payload: bytes, path: Path) -> Labels:
    """Return the stored values."""
    return labels_of(_values(payload, path))


def size(payload: bytes, path: Path) -> tuple[int, int]:
    """Return (H, W) from the header's text."""
    height, width, _ = _shape(payload)
    return height, width


def _values(payload: bytes, path: Path) -> np.ndarray:
    height, width, channels = _shape(payload)
    import itk  # which takes seconds

    # By its name ITK would not know the format of P.MHA or of a file without suffix.
    values = np.asarray(itk.array_from_image(itk.imread(str(path), imageio=itk.MetaImageIO.New())))
    return values.reshape((height, width) if channels == 1 else (height, width, channels))


def _shape(payload: bytes) -> tuple[int, int, int]:
    fields = {}
    for line in payload[:4096].split(b"\n"):
        key, found, value = line.partition(b"=")
        if found:
            fields[key.strip()] = value.strip()
        if key.strip() == b"ElementDataFile":
            break
    width, height, *further = (int(number) for number in fields[b"DimSize"].split())
    check_single(int(np.prod(further)) if further else 1, "slices")
    channels = int(fields.get(b"ElementNumberOfChannels", 1))
    if channels not in (1, 3, 4):
        raise Unusable(f"it has {channels} channels", "Save it as grey or RGB")
    check_area(height, width, channels * MOST_VALUE_BYTES if channels > 1 else 1)
    return height, width, channels
