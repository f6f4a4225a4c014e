"""Encoders and the networks built on them."""

from . import torchvision_shim
from .build import build_encoder
from .description import EncoderDescription
from .encoders import Encoder, Encoding
from .heads import ProjectionHead

__all__ = [
    "Encoder",
    "EncoderDescription",
    "Encoding",
    "ProjectionHead",
    "build_encoder",
    "torchvision_shim",
]
