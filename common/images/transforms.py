"""MONAI dictionary transforms that decode files through the one decoder."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from ..files.errors import UnreadableImage
from ..records import IGNORE
from .decode import read_image, read_mask
from .masks import check_shape, resample_nearest


class DecodeImaged(MapTransform):
    """Replace a path by its picture: float32 tensor (C, H, W) in [0, 1], without meta data.

    Args:
        keys: of the paths.
        channels: 1 (grey) or 3 (colour).
        allow_missing_keys: do not fail where a key is absent.
    """

    def __init__(self, keys: KeysCollection, channels: int = 1, allow_missing_keys: bool = False):
        super().__init__(keys, allow_missing_keys)
        self.channels = channels

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Decode; raises UnreadableImage naming the file."""
        item = dict(data)
        for key in self.key_iterator(item):
            # The one copy that floats need: a decoder's bytes may be read-only, of which PyTorch warns.
            item[key] = torch.from_numpy(read_image(item[key], self.channels).astype(np.float32)) / 255
        return item


class DecodeMasksd(MapTransform):
    """Replace {structure: path} by a uint8 tensor (K, H, W): 0 background, 1 structure, 255 ignore.

    A structure without a file is ignored everywhere. Place it after `DecodeImaged`: a mask drawn on a smaller copy is
    brought to its image's size, and one of other proportions refused by name.

    Args:
        keys: of the dictionaries of paths.
        structures: the K channels, in order.
        foreground: see `read_mask`.
        ignore: see `read_mask`.
        allow_missing_keys: do not fail where a key is absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        structures: Sequence[str],
        foreground: int | Collection[int] | None = None,
        ignore: int | Collection[int] | None = None,
        allow_missing_keys: bool = False,
    ):
        super().__init__(keys, allow_missing_keys)
        if not structures:
            raise ValueError("structures is empty; name at least one mask to decode")
        self.structures, self.foreground, self.ignore = tuple(structures), foreground, ignore

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Decode; raises UnreadableImage naming the file."""
        item = dict(data)
        image = item.get("image")
        for key in self.key_iterator(item):
            item[key] = self._decode(item[key], image.shape[-2:] if isinstance(image, torch.Tensor) else None)
        return item

    def _decode(self, paths: Mapping[str, str], size: tuple[int, ...] | None) -> torch.Tensor:
        present = [name for name in self.structures if name in paths]
        if not present:
            reason = f"no mask of {', '.join(self.structures)} (there are {', '.join(paths) or 'none'})"
            raise UnreadableImage(next(iter(paths.values()), "masks"), reason, "Check the option structures")
        masks = {name: read_mask(paths[name], self.foreground, self.ignore) for name in present}
        size = size or masks[present[0]].shape
        for name, mask in masks.items():
            check_shape(size, mask.shape, paths[name], name)
            masks[name] = resample_nearest(mask, size)
        absent = np.full(size, IGNORE, dtype=np.uint8)
        return torch.from_numpy(np.stack([masks.get(name, absent) for name in self.structures]))
