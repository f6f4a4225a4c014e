"""Readers: each turns the folder that a data set was downloaded to into a corpus; `registry` says how one is added."""

from .probe_images import read_probe
from .reading import read
from .registry import Reader, find_reader, reader, reader_modules
from .support.publication import Publication

__all__ = ["Publication", "Reader", "find_reader", "read", "read_probe", "reader", "reader_modules"]
