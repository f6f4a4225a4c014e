"""Files that are whole or absent, locks, limits, and the errors that name a file and the remedy."""

from .atomic import (
    PARTIAL,
    damage,
    free_space,
    link_atomically,
    outputs,
    replacing,
    save_atomically,
    sweep,
    write_atomically,
    write_durably,
)
from .errors import DataNotice, DatasetError, LeftOut, UnreadableImage, Unusable
from .locks import locked, locked_if_free

__all__ = [
    "PARTIAL",
    "DataNotice",
    "DatasetError",
    "LeftOut",
    "UnreadableImage",
    "Unusable",
    "damage",
    "free_space",
    "link_atomically",
    "locked",
    "locked_if_free",
    "outputs",
    "replacing",
    "save_atomically",
    "sweep",
    "write_atomically",
    "write_durably",
]
