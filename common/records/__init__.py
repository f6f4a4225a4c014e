"""What a reader returns: one record per image, and the corpus that holds them."""

from .corpus import IGNORE, ORGANS, SPLITS, Box, Calibration, Corpus, Record

__all__ = ["IGNORE", "ORGANS", "SPLITS", "Box", "Calibration", "Corpus", "Record"]
