"""Studies: methods compared on tasks over seeds, one bundle run after the other."""

from .check import StudyError
from .command import conduct

__all__ = ["StudyError", "conduct"]
