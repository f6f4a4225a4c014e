"""What makes organ masks of CT volumes, once and for a whole data set: TotalSegmentator, or any MONAI bundle."""

from .bundle import BundleError, BundleSegmenter
from .dataset import segment_dataset
from .output import FAILURES, Output
from .run import Outcome, Segmenter, segment_all
from .totalsegmentator import TotalSegmentator

__all__ = [
    "FAILURES",
    "BundleError",
    "BundleSegmenter",
    "Outcome",
    "Output",
    "Segmenter",
    "TotalSegmentator",
    "segment_all",
    "segment_dataset",
]
