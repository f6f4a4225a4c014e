"""Losses: tensors in, scalars out; gathers over processes are explicit arguments."""

from .classification import LabelLoss
from .contrastive import CosineRegression, InBatchInfoNCE
from .expert import ExpertLoss
from .injuries import InjuryLoss, InjuryOutputs
from .label_map import LabelMapLoss
from .location_scale import LocationScale
from .matching import MatchingLoss
from .memory_bank import MemoryBank
from .multitask import MultitaskLoss
from .segmentation import DiceBCE
from .self_distillation import MultiCropDistillation, SelfDistillation
from .unit_mse import UnitMSE

__all__ = [
    "CosineRegression",
    "DiceBCE",
    "ExpertLoss",
    "InBatchInfoNCE",
    "InjuryLoss",
    "InjuryOutputs",
    "LabelLoss",
    "LabelMapLoss",
    "LocationScale",
    "MatchingLoss",
    "MemoryBank",
    "MultiCropDistillation",
    "MultitaskLoss",
    "SelfDistillation",
    "UnitMSE",
]
