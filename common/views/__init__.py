"""How samples are made from images: parameters are sampled first, then rendered in batches."""

from ..sampling import Params, View
from .augmented_crop import AugmentedCrop, change_together, render_together
from .boxes import QUARTERS, check_fits, check_range, check_thickness, quarter_boxes, random_resized_box, thinnest_crop
from .colour_jitter import ColourJitter
from .dictionary_geometric import RandOpticalDistortiond, RandResizedCropd
from .dictionary_photometric import RandBrightnessContrastd, RandCLAHEd
from .photometric import Photometric
from .prefixes import add_prefix, take_prefix
from .resample import crop_resize, crops_resize, rotate
from .two_crops import TwoCrops

__all__ = [
    "QUARTERS",
    "AugmentedCrop",
    "ColourJitter",
    "Params",
    "Photometric",
    "RandBrightnessContrastd",
    "RandCLAHEd",
    "RandOpticalDistortiond",
    "RandResizedCropd",
    "TwoCrops",
    "View",
    "add_prefix",
    "change_together",
    "check_fits",
    "check_range",
    "check_thickness",
    "crop_resize",
    "crops_resize",
    "quarter_boxes",
    "random_resized_box",
    "render_together",
    "rotate",
    "take_prefix",
    "thinnest_crop",
]
