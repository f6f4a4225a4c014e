"""A copy of a run's state in the host's memory, which training does not touch."""

import copy
from typing import Any

import torch
from torch import Tensor

from .batches import tensors


def snapshot(content: Any) -> Any:
    """Copy states so that `torch.save` of the copy writes what it would write of them now.

    Tensors that share memory share it in the copy too, and nothing in it is shared with the states. What lies on a GPU
    is copied into pinned memory, all of it before the host waits once; in the file it then belongs to the CPU. PyTorch
    keeps pinned memory that is freed for the next copy.

    Args:
        content: state dicts and plain values, in mappings, lists and tuples.

    Returns:
        the same, in as many bytes of the host's memory as the file will have.

    Raises:
        RuntimeError: the memory does not suffice, or something in it cannot be copied; MemoryError likewise.
    """
    known: dict[int, Any] = {}  # what is copied already, by the identity of the original, as `deepcopy` looks it up
    memory: dict[int, Tensor] = {}
    devices = set()
    for tensor in tensors(content):
        if _is_elsewhere(tensor):
            known[id(tensor)] = _in_host_memory(tensor, memory)
            devices.add(tensor.device)
    for device in devices:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return copy.deepcopy(content, known)


def _is_elsewhere(tensor: Tensor) -> bool:
    """Whether a tensor lies on a device, and is of the plain kind that is all memory, size and stride."""
    plain = type(tensor) is Tensor and tensor.layout is torch.strided and not tensor.requires_grad
    return plain and tensor.device.type != "cpu" and not tensor.is_complex()


def _in_host_memory(tensor: Tensor, memory: dict[int, Tensor]) -> Tensor:
    """The tensor over a copy of all its memory, which other tensors may share; a GPU may still be copying."""
    source, on_gpu = tensor.untyped_storage(), tensor.device.type == "cuda"
    if source._cdata not in memory:
        host = torch.empty(source.nbytes(), dtype=torch.uint8, pin_memory=on_gpu)
        flat = torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(source)
        memory[source._cdata] = host.copy_(flat, non_blocking=on_gpu)
    target = memory[source._cdata].untyped_storage()
    return torch.empty(0, dtype=tensor.dtype).set_(target, tensor.storage_offset(), tensor.size(), tensor.stride())
