"""The order of samples and the randomness of each, as functions of (seed, epoch, index) alone; what a view is."""

from .keys import SampleKey, as_key, generator_for, seed_for
from .sampler import SeededSampler, seeded_loader
from .view import Params, SamplesParams, View

__all__ = [
    "Params",
    "SampleKey",
    "SamplesParams",
    "SeededSampler",
    "View",
    "as_key",
    "generator_for",
    "seed_for",
    "seeded_loader",
]
