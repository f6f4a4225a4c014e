"""Networks that produce targets and take no gradient."""

from .expert import Expert, NetworkExpert
from .expert_cached import CachedExpert
from .expert_file import encoder_expert, load_expert, seeded_expert
from .expert_memory import cached_expert
from .momentum import MomentumTeacher
from .student_teacher import StudentTeacher

__all__ = [
    "CachedExpert",
    "Expert",
    "MomentumTeacher",
    "NetworkExpert",
    "StudentTeacher",
    "cached_expert",
    "encoder_expert",
    "load_expert",
    "seeded_expert",
]
