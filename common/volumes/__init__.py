"""CT volumes: read in one orientation, prepared once into a cache, cropped from it.

A volume in memory has the axes (D, H, W): D grows to the head, H to the back, W to the patient's left.
"""

from .cache import VolumeCache, open_volumes
from .crops import VolumeCrops
from .organs import read_organs
from .preparation import Preparation
from .read import read_volume
from .structures import ABDOMEN, CHEST
from .volume import Grid, Volume

__all__ = [
    "ABDOMEN",
    "CHEST",
    "Grid",
    "Preparation",
    "Volume",
    "VolumeCache",
    "VolumeCrops",
    "open_volumes",
    "read_organs",
    "read_volume",
]
