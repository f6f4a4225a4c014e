"""The one decoder in the shape that MONAI's own `LoadImaged` takes, which clients of a bundle know by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, ensure_tuple

from .decode import read_image


class PictureReader(ImageReader):
    """Reader of MONAI's `LoadImage`: float32 (C, H, W) in [0, 1], rows first, whatever the file's format.

    MONAI's own readers give (W, H) of most pictures and the values as stored.

    Args:
        channels: 1 (grey) or 3 (colour).
    """

    def __init__(self, channels: int = 1):
        self.channels = channels

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Any name: the content decides."""
        return True

    def read(self, data: Sequence[PathLike] | PathLike, **_: Any) -> Path:
        """Take the path. MONAI replaces what is raised here by its list of readers, so decoding comes after.

        Raises:
            ValueError: several files, where one picture is wanted.
        """
        paths = ensure_tuple(data)
        if len(paths) != 1:
            raise ValueError(f"There are {len(paths)} files for one picture: {paths[:3]}. Give one path.")
        return Path(paths[0])

    def get_data(self, img: Path) -> tuple[np.ndarray, dict[str, Any]]:
        """Decode to the values and what MONAI has to know of them; raises UnreadableImage naming the file."""
        values_CHW = read_image(img, self.channels).astype(np.float32) / 255
        shape = np.asarray(values_CHW.shape[1:])
        return values_CHW, {MetaKeys.SPATIAL_SHAPE: shape, MetaKeys.ORIGINAL_CHANNEL_DIM: 0}
