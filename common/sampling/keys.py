"""What makes a sample the same again: its key, and the randomness that comes of it alone."""

import hashlib
import struct
from typing import NamedTuple

import torch


class SampleKey(NamedTuple):
    """What a dataset needs to make the same sample again.

    Args:
        epoch: 0 or more.
        index: of the record, 0 or more.
    """

    epoch: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here


def as_key(key: SampleKey | int) -> SampleKey:
    """Return the key itself; a plain index counts as epoch 0."""
    return key if isinstance(key, SampleKey) else SampleKey(0, int(key))


def seed_for(seed: int, epoch: int, index: int) -> int:
    """Mix three numbers into one seed in [0, 2**32), the same on every machine.

    Args:
        seed: the run's seed.
        epoch: 0 or more.
        index: of the record; -1 is the order of the epoch itself.
    """
    digest = hashlib.blake2b(struct.pack("<qqq", seed, epoch, index), digest_size=4).digest()
    return int.from_bytes(digest, "little")


def generator_for(seed: int, epoch: int, index: int) -> torch.Generator:
    """Return a fresh CPU generator for one sample.

    All randomness of a sample is drawn from it, never from a worker's global state: views are the same
    for 0 or 8 workers, and after a resume.

    Args:
        seed: the run's seed.
        epoch: 0 or more.
        index: of the record.

    Example:
        >>> first, again = (torch.rand(1, generator=generator_for(seed=0, epoch=3, index=7)) for _ in range(2))
        >>> torch.equal(first, again)
        True
    """
    return torch.Generator().manual_seed(seed_for(seed, epoch, index))
