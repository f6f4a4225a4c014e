"""From a downloaded folder to batches: readers, decoding, the store, and seeded sampling."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .decode import image_size, read_image, read_mask
from .errors import DataNotice, DatasetError, UnreadableImage
from .sampling import SampleKey, SeededSampler, generator_for
from .store import Store, open_store

if TYPE_CHECKING:
    from .dataset import SeededDataset, StoreImages, StoreViews, as_items
    from .patches import PatchRule
    from .picture_reader import PictureReader
    from .readers import read
    from .regions import RegionSource, StoreRegions
    from .transforms import DecodeImaged, DecodeMasksd

# These import MONAI, which takes seconds; most commands do without.
LATE = {
    "PatchRule": "patches",
    "PictureReader": "picture_reader",
    "RegionSource": "regions",
    "SeededDataset": "dataset",
    "StoreImages": "dataset",
    "StoreRegions": "regions",
    "StoreViews": "dataset",
    "as_items": "dataset",
    "read": "readers",
    "DecodeImaged": "transforms",
    "DecodeMasksd": "transforms",
}

__all__ = [
    "DataNotice",
    "DatasetError",
    "DecodeImaged",
    "DecodeMasksd",
    "PatchRule",
    "PictureReader",
    "RegionSource",
    "SampleKey",
    "SeededDataset",
    "SeededSampler",
    "Store",
    "StoreImages",
    "StoreRegions",
    "StoreViews",
    "UnreadableImage",
    "as_items",
    "generator_for",
    "image_size",
    "open_store",
    "read",
    "read_image",
    "read_mask",
]


def __getattr__(name: str) -> Any:
    if name in LATE:
        return getattr(import_module(f".{LATE[name]}", __name__), name)
    raise AttributeError(f"module {__name__} has no attribute {name!r}")
