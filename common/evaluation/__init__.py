"""Measuring what networks know: probes of encoders and metrics of tasks."""

from .classification import ClassificationReport
from .encoding import (
    EncodingInferer,
    LandmarkRetrieval,
    NearestNeighbours,
    PatchProbe,
    Spread,
    encoding_batch,
)
from .report import Outcome, Report, better_than
from .save_encodings import SaveEncodings
from .segmentation import SegmentationReport

__all__ = [
    "ClassificationReport",
    "EncodingInferer",
    "LandmarkRetrieval",
    "NearestNeighbours",
    "Outcome",
    "PatchProbe",
    "Report",
    "SaveEncodings",
    "SegmentationReport",
    "Spread",
    "better_than",
    "encoding_batch",
]
