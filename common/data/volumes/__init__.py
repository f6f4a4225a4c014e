"""CT volumes: read in one orientation, prepared once into a cache, cropped from it.

A volume in memory has the axes (D, H, W): D grows to the head, H to the back, W to the patient's left.
"""

from .organs import read_organs
from .read import read_volume
from .volume import Grid, Volume

__all__ = ["Grid", "Volume", "read_organs", "read_volume"]
