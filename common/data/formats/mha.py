"""Single-slice MetaImage pictures (.mha, and .mhd with its data file beside it) through ITK."""

from pathlib import Path

import numpy as np

from .depth import Unusable, check_area, check_single, scale_by_bits


def read(payload: bytes, path: Path) -> np.ndarray:
    """Return the picture in the order of the file: rows, then columns."""
    values = labels(payload, path)
    return values if values.dtype == np.uint8 else scale_by_bits(values)


def labels(payload: bytes, path: Path) -> np.ndarray:
    """Return the stored values, (H, W) or (H, W, 3)."""
    import itk

    height, width = size(payload, path)
    values = np.asarray(itk.array_from_image(itk.imread(str(path))))
    channels = values.size // (height * width)
    if channels == 1:
        return values.reshape(height, width)
    if channels not in (3, 4):
        raise Unusable(f"it has {channels} channels", "Save it as grey or RGB")
    return values.reshape(height, width, channels)[..., :3]


def size(payload: bytes, path: Path) -> tuple[int, int]:
    """Return (H, W) from the header's text."""
    fields = {}
    for line in payload[:4096].split(b"\n"):
        key, found, value = line.partition(b"=")
        if found:
            fields[key.strip()] = value.strip()
        if key.strip() == b"ElementDataFile":
            break
    width, height, *further = (int(number) for number in fields[b"DimSize"].split())
    check_single(int(np.prod(further)) if further else 1, "slices")
    check_area(height, width)
    return height, width
