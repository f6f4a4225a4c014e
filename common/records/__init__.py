"""What a reader returns: one record per image, and the corpus that holds them."""

from .corpus import IGNORE, SPLITS, Box, Calibration, Corpus, Record

__all__ = ["IGNORE", "SPLITS", "Box", "Calibration", "Corpus", "Record"]
