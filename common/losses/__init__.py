"""Losses: tensors in, scalars out; gathers over processes are explicit arguments."""

from .classification import LabelLoss
from .contrastive import CosineRegression, InBatchInfoNCE
from .detection import DetectionLoss
from .embedding_mse import EmbeddingMSE
from .heat_maps import HeatMapCrossEntropy, HeatMapMSE
from .injuries import InjuryLoss, InjuryOutputs
from .label_map import LabelMapLoss
from .location_scale import LocationScale
from .memory_bank import MemoryBank
from .multitask import MultitaskLoss
from .segmentation import DiceBCE
from .self_distillation import MultiCropDistillation, SelfDistillation
from .token_matching import MatchingLoss

__all__ = [
    "CosineRegression",
    "DetectionLoss",
    "DiceBCE",
    "EmbeddingMSE",
    "HeatMapCrossEntropy",
    "HeatMapMSE",
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
]
