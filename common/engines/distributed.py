"""Several processes: one group per torchrun, gathers, and an end without leftovers."""

import atexit
import os
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

_ours = False
"""Whether `setup` made the process group, and `teardown` therefore ends it."""
_notes: dist.Store | None = None
"""Where the processes of the group leave each other notes, without a device and without waiting."""


def setup(backend: str | None = None) -> None:
    """Join the process group of torchrun; does nothing without torchrun or when a group exists.

    The group is left at the end of the process or when a `Trainer` run raises, whichever comes first.

    Args:
        backend: `nccl` or `gloo`; None takes nccl where there is a GPU for each process.
    """
    global _ours, _notes
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        return
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    on_gpu = torch.cuda.device_count() > local_rank
    if on_gpu:
        torch.cuda.set_device(local_rank)
    store, index, size = next(dist.rendezvous("env://"))
    dist.init_process_group(backend or ("nccl" if on_gpu else "gloo"), store=store, rank=index, world_size=size)
    _ours, _notes = True, dist.PrefixStore("notes", store)
    atexit.register(teardown)


def teardown() -> None:
    """Leave the process group that `setup` joined."""
    global _ours, _notes
    if _ours and dist.is_initialized():
        dist.destroy_process_group()
    _ours, _notes = False, None


def notes() -> dist.Store | None:
    """Notes that every process of the group can read; None for a single process, or in a group that others made."""
    return _notes


def local_device() -> torch.device:
    """This process's device: the GPU that torchrun's `LOCAL_RANK` names, the CPU where there is none."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def rank() -> int:
    """Index of this process; torchrun's environment answers before there is a group."""
    return dist.get_rank() if _initialized() else int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Number of processes; torchrun's environment answers before there is a group."""
    return dist.get_world_size() if _initialized() else int(os.environ.get("WORLD_SIZE", "1"))


def wrap(network: nn.Module, device: torch.device | str) -> nn.Module:
    """Move a network to the device and, with several processes, share its gradients.

    Batch norm layers share their statistics on GPUs. On CPU PyTorch cannot do that, so that one process equals
    two only for networks without batch statistics.

    Args:
        network: the module whose parameters the optimiser holds; one that is wrapped already stays as it is.
        device: of this process.
    """
    if isinstance(network, nn.parallel.DistributedDataParallel):
        return network
    device = torch.device(device)
    network = network.to(device)
    if not _initialized() or world_size() == 1:
        return network
    if device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    return nn.parallel.DistributedDataParallel(network, device_ids=[device] if device.type == "cuda" else None)


def norm_batch(batch_size: int, device: torch.device | str) -> int:
    """Images that a batch norm sees at once in a network that `wrap` returns.

    Args:
        batch_size: images of one process.
        device: of this process.
    """
    return batch_size * (world_size() if torch.device(device).type == "cuda" else 1)


@torch.no_grad()
def gather(tensor: Tensor) -> Tensor:
    """Concatenate a tensor over processes along its first dimension, without gradient.

    Args:
        tensor: the same shape in every process.
    """
    if not _initialized() or world_size() == 1:
        return tensor.detach()
    parts = [torch.empty_like(tensor) for _ in range(world_size())]
    dist.all_gather(parts, tensor.detach().contiguous())
    return torch.cat(parts)


@torch.no_grad()
def mean(tensor: Tensor) -> Tensor:
    """Average a tensor over processes, without gradient."""
    tensor = tensor.detach()
    if not _initialized() or world_size() == 1:
        return tensor
    total = tensor.clone()
    dist.all_reduce(total)  # gloo has no average
    return total / world_size()


def from_first(value: Any) -> Any:
    """Return the first process's value in every process."""
    if not _initialized() or world_size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box)
    return box[0]


def _initialized() -> bool:
    return dist.is_available() and dist.is_initialized()
