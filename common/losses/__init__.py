"""Losses: tensors in, scalars out; gathers over processes are explicit arguments."""

from .matching import MatchingLoss
from .self_distillation import SelfDistillation

__all__ = ["MatchingLoss", "SelfDistillation"]
