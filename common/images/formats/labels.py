"""What the pixels of a mask file may mean: most formats leave one way, some leave two."""

from dataclasses import dataclass

import numpy as np

from ...files.errors import Unusable


@dataclass(frozen=True)
class Labels:
    """Values of a mask, which are names and not brightness.

    Args:
        readings: (H, W) arrays. Greys of 1, 2 or 4 bits are numbers from 0 or their brightness (1 or 255), and a
            palette without colours gives indices or greys; the values that a user names decide.
        lossy: compression has moved the values about.
    """

    readings: tuple[np.ndarray, ...]
    lossy: bool = False


def labels_of(values: np.ndarray, lossy: bool = False) -> Labels:
    """Return the one reading of a picture whose colours, if it has any, are grey everywhere.

    Args:
        values: (H, W), or (H, W, C) with alpha last where C is 2 or 4.
        lossy: see `Labels`.

    Raises:
        Unusable: a mask in colours, or in its alpha channel.
    """
    if values.ndim == 3:
        values = _grey(values)
    return Labels((values,), lossy)


def _grey(values: np.ndarray) -> np.ndarray:
    colours = values[..., : 1 if values.shape[2] <= 2 else 3]
    grey = colours[..., 0]
    if (colours != grey[..., None]).any():
        raise Unusable("a mask in colours", "Save it as one channel with one value per structure")
    if values.shape[2] in (2, 4):
        alpha = values[..., -1]
        if grey.min() == grey.max() and alpha.min() != alpha.max():
            reason = f"a mask in its alpha channel: the colour is {grey.flat[0]} everywhere"
            raise Unusable(reason, "Save it as one channel with one value per structure")
    return grey
