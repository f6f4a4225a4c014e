"""The pixel store: all images of a corpus in one memory-mapped array, built once, checked when opened."""

from ...files.quarantine import Quarantined
from .store import Store, open_store

__all__ = ["Quarantined", "Store", "open_store"]
