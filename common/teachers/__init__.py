"""Networks that produce targets and take no gradient."""

from .momentum import MomentumTeacher

__all__ = ["MomentumTeacher"]
