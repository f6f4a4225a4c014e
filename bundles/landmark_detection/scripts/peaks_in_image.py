"""From heat maps to points in the pixels of the picture that was loaded."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import MetaKeys

from common.evaluation import peaks


class PeaksInImaged(MapTransform):
    """Replace heat maps (L, h, w) by points (1, L, 2), (row, col) in pixels of the image's own size.

    0 is the centre of the image's first pixel. The size is the one that MONAI's `LoadImaged` notes: an affine, as of
    `ApplyTransformToPointsd`, would lead to the world of an image that has one, not to its pixels.

    Args:
        keys: of the heat maps.
        orig_keys: the image that they are of, as `LoadImaged` and resizing left it.
    """

    def __init__(self, keys: KeysCollection, orig_keys: str = "image"):
        super().__init__(keys)
        self.orig_keys = orig_keys

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Find the peaks and scale them."""
        item = dict(data)
        own = torch.as_tensor(item[self.orig_keys].meta[MetaKeys.SPATIAL_SHAPE])
        for key in self.key_iterator(item):
            points = peaks(item[key])
            scale = own.to(points) / points.new_tensor(item[key].shape[1:])
            item[key] = (points + 0.5) * scale - 0.5
        return item
