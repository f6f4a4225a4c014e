"""What a run leaves behind for people: tracked numbers and figures."""

from .tracking import Tracking

__all__ = ["Tracking"]
