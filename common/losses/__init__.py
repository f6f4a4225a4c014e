"""Losses: tensors in, scalars out; gathers over processes are explicit arguments."""

from .classification import LabelLoss
from .contrastive import CosineRegression, InBatchInfoNCE
from .expert import ExpertLoss
from .location_scale import LocationScale
from .matching import MatchingLoss
from .memory_bank import MemoryBank
from .segmentation import DiceBCE
from .self_distillation import MultiCropDistillation, SelfDistillation
from .unit_mse import UnitMSE

__all__ = [
    "CosineRegression",
    "DiceBCE",
    "ExpertLoss",
    "InBatchInfoNCE",
    "LabelLoss",
    "LocationScale",
    "MatchingLoss",
    "MemoryBank",
    "MultiCropDistillation",
    "SelfDistillation",
    "UnitMSE",
]
