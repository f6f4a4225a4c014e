"""Measuring what networks know: probes of encoders and metrics of tasks."""

from .encoding import (
    EncodingInferer,
    LandmarkRetrieval,
    NearestNeighbours,
    PatchProbe,
    Spread,
    encoding_batch,
)

__all__ = [
    "EncodingInferer",
    "LandmarkRetrieval",
    "NearestNeighbours",
    "PatchProbe",
    "Spread",
    "encoding_batch",
]
