"""Pictures: decoding, masks, the store of pixels, and the data sets that batches are drawn from."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .decode import image_size, read_image, read_mask
from .store import Store, open_store

if TYPE_CHECKING:
    from .brightness import white_is_one
    from .dataset import StoreImages, StoreViews
    from .items import SeededDataset, as_items
    from .patches import PatchRule
    from .picture_reader import PictureReader
    from .readable import ReadableImages, ReadableLoader
    from .regions import RegionSource, StoreRegions
    from .transforms import DecodeImaged, DecodeMasksd

# These import MONAI, which takes seconds; most commands do without.
LAZY = {
    "DecodeImaged": "transforms",
    "DecodeMasksd": "transforms",
    "PatchRule": "patches",
    "PictureReader": "picture_reader",
    "ReadableImages": "readable",
    "ReadableLoader": "readable",
    "RegionSource": "regions",
    "SeededDataset": "items",
    "StoreImages": "dataset",
    "StoreRegions": "regions",
    "StoreViews": "dataset",
    "as_items": "items",
    "white_is_one": "brightness",
}

__all__ = [
    "DecodeImaged",
    "DecodeMasksd",
    "PatchRule",
    "PictureReader",
    "ReadableImages",
    "ReadableLoader",
    "RegionSource",
    "SeededDataset",
    "Store",
    "StoreImages",
    "StoreRegions",
    "StoreViews",
    "as_items",
    "image_size",
    "open_store",
    "read_image",
    "read_mask",
    "white_is_one",
]


def __getattr__(name: str) -> Any:
    if name in LAZY:
        return getattr(import_module(f".{LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__} has no attribute {name!r}")
