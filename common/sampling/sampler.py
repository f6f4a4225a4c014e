"""The order of samples, as a function of (seed, epoch) alone."""

import os
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from .keys import SampleKey, generator_for


class SeededSampler(Sampler[SampleKey]):
    """Yields `SampleKey`s, epoch after epoch, and can start in the middle of one.

    The order of an epoch depends on (seed, epoch) alone. It is cut into global batches of
    batch_size * world_size, of which rank r takes the r-th slice; 1 process with batch 8 and 2 with
    batch 4 therefore see the same global batches. Each call of `iter` is one epoch.

    Args:
        length: number of records, 1 or more.
        seed: of the order.
        batch_size: per process, 1 or more; give the data loader the same.
        shuffle: False keeps the order of the records.
        drop_last: True leaves the last incomplete global batch out; False keeps it, completed from the
            epoch's beginning where several processes share it (as PyTorch's distributed sampler does).
        rank: of this process; None asks torch.distributed or torchrun's environment.
        world_size: number of processes; None as above.

    Raises:
        ValueError: not one batch can be made.
    """

    def __init__(
        self,
        length: int,
        seed: int,
        batch_size: int,
        shuffle: bool = True,
        drop_last: bool = True,
        rank: int | None = None,
        world_size: int | None = None,
    ):
        if length < 1 or batch_size < 1:
            raise ValueError(f"length is {length} and batch_size {batch_size}; both must be 1 or more")
        self.length, self.seed, self.batch_size = length, seed, batch_size
        self.shuffle, self.drop_last = shuffle, drop_last
        self._rank, self._world_size = rank, world_size
        self.epoch, self.offset = 0, 0
        if self.batches == 0:
            raise ValueError(
                f"{length} images make no batch of {batch_size} x {self.world_size} processes; "
                "lower batch_size, or set drop_last to false"
            )

    @property
    def rank(self) -> int:
        """Index of this process; asked late, since a recipe builds its sampler before the process group."""
        return _distributed("get_rank", "RANK", 0) if self._rank is None else self._rank

    @property
    def world_size(self) -> int:
        """Number of processes."""
        return _distributed("get_world_size", "WORLD_SIZE", 1) if self._world_size is None else self._world_size

    @property
    def batches(self) -> int:
        """Batches in a whole epoch, the same on every rank."""
        together = self.batch_size * self.world_size
        return self.length // together if self.drop_last else -(-self.length // together)

    def __len__(self) -> int:
        if self.drop_last or self.world_size > 1:
            return self.batches * self.batch_size
        return self.length

    def set_position(self, epoch: int, offset_batches: int = 0) -> None:
        """Make the next `iter` start at a batch of an epoch, as if the batches before it had been read.

        Args:
            epoch: 0 or more.
            offset_batches: batches already done in that epoch; a whole epoch's worth means the next epoch.
        """
        extra, self.offset = divmod(offset_batches, self.batches)
        self.epoch = epoch + extra

    def __iter__(self) -> Iterator[SampleKey]:
        epoch, offset = self.epoch, self.offset
        self.epoch, self.offset = epoch + 1, 0
        keys = [SampleKey(epoch, index) for index in self._indices(epoch)]
        return iter(keys[offset * self.batch_size :])

    def _indices(self, epoch: int) -> list[int]:
        order = list(range(self.length))
        if self.shuffle:
            order = torch.randperm(self.length, generator=generator_for(self.seed, epoch, -1)).tolist()
        together = self.batch_size * self.world_size
        if self.drop_last:
            order = order[: self.batches * together]
        elif self.world_size > 1:
            missing = self.batches * together - self.length
            order += (order * (missing // self.length + 1))[:missing]
        begin = self.rank * self.batch_size
        mine = [order[start + begin : start + begin + self.batch_size] for start in range(0, len(order), together)]
        return [index for batch in mine for index in batch]


def seeded_loader(
    dataset: Dataset, batch_size: int, seed: int, num_workers: int = 0, shuffle: bool = True, drop_last: bool = True
) -> DataLoader:
    """PyTorch's data loader over a `SeededSampler`; its workers live as long as it does.

    Where there is a GPU, batches lie in pinned memory, from which they are copied while the GPU computes.

    Args:
        dataset: has a length, and takes `SampleKey`s.
        batch_size: per process.
        seed: of the order.
        num_workers: processes that load; what they load does not depend on their number.
        shuffle: see `SeededSampler`.
        drop_last: likewise.

    Example:
        >>> class Pairs(Dataset):
        ...     def __len__(self):
        ...         return 4
        ...     def __getitem__(self, key):
        ...         return key.epoch, key.index
        >>> [indices.tolist() for epochs, indices in seeded_loader(Pairs(), batch_size=2, seed=0, shuffle=False)]
        [[0, 1], [2, 3]]
    """
    length = len(dataset)  # type: ignore[arg-type]
    sampler = SeededSampler(length, seed, batch_size, shuffle, drop_last)
    return DataLoader(
        dataset,
        batch_size,
        sampler=sampler,
        num_workers=num_workers,
        drop_last=drop_last,
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def _distributed(function: str, variable: str, default: int) -> int:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return int(getattr(torch.distributed, function)())
    return int(os.environ.get(variable, default))
