"""The names of version 0.1, when one room held all data: programs written then run on, with a warning.

New code takes each name from the room that it lives in now: `common.images`, `common.volumes`, `common.readers`,
`common.sampling` or `common.files`.
"""

import sys
import warnings
from importlib import import_module
from typing import Any

MODULES = {
    "dataset": "images.dataset",
    "decode": "images.decode",
    "errors": "files.errors",
    "formats": "images.formats",
    "masks": "images.masks",
    "patches": "images.patches",
    "readers": "readers",
    "regions": "images.regions",
    "sampling": "sampling",
    "store": "images.store.store",
    "transforms": "images.transforms",
    "volumes": "volumes",
}
ROOMS = ("images", "readers", "sampling", "files", "volumes")

warnings.warn(f"common.data is now common.{', common.'.join(ROOMS)}", DeprecationWarning, stacklevel=2)
for earlier, present in MODULES.items():
    sys.modules[f"{__name__}.{earlier}"] = import_module(f"..{present}", __name__)


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return sys.modules[f"{__name__}.{name}"]
    for room in () if name.startswith("_") else ROOMS:
        module = import_module(f"..{room}", __name__)
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"module {__name__} has no attribute {name!r}")
