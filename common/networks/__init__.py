"""Encoders and the networks built on them."""

from . import torchvision_shim
from .accelerate import accelerated
from .batch_statistics import each_apart
from .build import build_encoder, load_encoder
from .cast_weights import CastWeights
from .checkpoint_reading import UnreadableCheckpointError
from .classification import Classifier
from .description import EncoderDescription
from .detection import DetectionNetwork
from .encoder_file import describe_encoder, save_encoder
from .encoders import Encoder, Encoding
from .heads import ProjectionHead
from .segmentation import SegmentationNetwork
from .weight_matching import LoadReport, PoorMatchError

__all__ = [
    "CastWeights",
    "Classifier",
    "DetectionNetwork",
    "Encoder",
    "EncoderDescription",
    "Encoding",
    "LoadReport",
    "PoorMatchError",
    "ProjectionHead",
    "SegmentationNetwork",
    "UnreadableCheckpointError",
    "accelerated",
    "build_encoder",
    "describe_encoder",
    "each_apart",
    "load_encoder",
    "save_encoder",
    "torchvision_shim",
]
