"""Measuring what networks know: probes of encoders and metrics of tasks."""

from .best import KeepBest
from .classification import ClassificationReport
from .detection import DetectionReport
from .encoding import (
    EmbeddingCollapse,
    EncodingInferer,
    LandmarkRetrieval,
    NearestNeighbours,
    PatchProbe,
    encoding_batch,
    save_metrics,
)
from .examples import LogExamples
from .landmarks import LandmarkReport, peaks
from .method_loss import MethodLoss
from .probe import Probe, probe_metric
from .report import Outcome, Report, better_than, lower_than
from .run_weights import run_weights
from .save_encodings import SaveEncodings
from .save_probabilities import SaveProbabilities
from .save_report import SaveReport
from .segmentation import SegmentationReport
from .sharpness import Sharpness, network_sharpness
from .stop_early import StopEarly
from .tell_progress import TellProgress

__all__ = [
    "ClassificationReport",
    "DetectionReport",
    "EmbeddingCollapse",
    "EncodingInferer",
    "KeepBest",
    "LandmarkReport",
    "LandmarkRetrieval",
    "LogExamples",
    "MethodLoss",
    "NearestNeighbours",
    "Outcome",
    "PatchProbe",
    "Probe",
    "Report",
    "SaveEncodings",
    "SaveProbabilities",
    "SaveReport",
    "SegmentationReport",
    "Sharpness",
    "StopEarly",
    "TellProgress",
    "better_than",
    "encoding_batch",
    "lower_than",
    "network_sharpness",
    "peaks",
    "probe_metric",
    "run_weights",
    "save_metrics",
]
