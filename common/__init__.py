"""What two or more bundles share; each step of the ladder imports only from the ones before it."""

from importlib import import_module
from types import ModuleType

LADDER = (
    "records",
    "inert",
    "run_folder",
    "claims",
    "overlay_readers",
    "files",
    "sampling",
    "images",
    "volumes",
    "readers",
    "data",
    "phantom",
    "views",
    "networks",
    "segmenters",
    "losses",
    "teachers",
    "engines",
    "command",
    "figures",
    "scoring",
    "evaluation",
    "reporting",
    "export",
    "studies",
    "benchmarks",
    "launcher",
)


def __getattr__(name: str) -> ModuleType:
    """Import a step when it is first named, so that one `$import common` serves every expression of a config.

    MONAI binds the statement `import common.images` to the name "common.images", which no expression can use.
    """
    if name in LADDER:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__} has no step {name}; the steps are {', '.join(LADDER)}")
