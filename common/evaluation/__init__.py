"""Measuring what networks know: probes of encoders and metrics of tasks."""

from .encoding import (
    EncodingInferer,
    LandmarkRetrieval,
    NearestNeighbours,
    PatchProbe,
    Spread,
    encoding_batch,
)
from .save_encodings import SaveEncodings

__all__ = [
    "EncodingInferer",
    "LandmarkRetrieval",
    "NearestNeighbours",
    "PatchProbe",
    "SaveEncodings",
    "Spread",
    "encoding_batch",
]
