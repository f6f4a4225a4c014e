"""Losses: tensors in, scalars out; gathers over processes are explicit arguments."""

from .classification import LabelLoss
from .matching import MatchingLoss
from .segmentation import DiceBCE
from .self_distillation import MultiCropDistillation, SelfDistillation
from .unit_mse import UnitMSE

__all__ = [
    "DiceBCE",
    "LabelLoss",
    "MatchingLoss",
    "MultiCropDistillation",
    "SelfDistillation",
    "UnitMSE",
]
