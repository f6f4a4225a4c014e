"""What goes from the data loader into the network, and out of it into the losses."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

logger = logging.getLogger(__name__)
SMALL = 2**16
"""Bytes below which a copy to a GPU costs its call and not its length."""


def whole_batch(
    batch: Mapping[str, Any], device: torch.device | str | None = None, non_blocking: bool = False, **kwargs: Any
) -> tuple[Any, None]:
    """Hand the network the whole batch, with its tensors on the device, and no separate target.

    For methods that compute their losses themselves; give it as the trainer's `prepare_batch`. Small tensors, such as
    the dozens of parameters of views, go to a GPU in one copy for each type; there they share its memory.

    Args:
        batch: mapping of tensors, nested mappings and lists; what is no tensor stays as it is.
        device: where the tensors go.
        non_blocking: copy from pinned memory without waiting.
        kwargs: passed to `Tensor.to`.
    """
    moved: dict[int, Tensor] = {}
    target = torch.device(device) if device is not None else None
    if target is not None and target.type != "cpu" and not kwargs:
        small = [t for t in tensors(batch) if t.device.type == "cpu" and t.nbytes <= SMALL]

        def copy(tensor: Tensor) -> Tensor:
            pinned = tensor.pin_memory() if target.type == "cuda" else tensor
            return pinned.to(target, non_blocking=non_blocking)

        moved = dict(zip(map(id, small), in_one_copy(small, copy), strict=True))
    return _moved(batch, moved, device=device, non_blocking=non_blocking, **kwargs), None


def in_one_copy(tensors: Sequence[Tensor], copy: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """Tensors after one call of `copy` for all of a type, in their order and shapes.

    Args:
        tensors: of any shapes and types.
        copy: takes a flat tensor to one of the same length.
    """
    moved: dict[int, Tensor] = {}
    for dtype in {tensor.dtype: None for tensor in tensors}:
        same = [(place, tensor) for place, tensor in enumerate(tensors) if tensor.dtype == dtype]
        together = copy(torch.cat([tensor.reshape(-1) for _, tensor in same]))
        parts = together.split([tensor.numel() for _, tensor in same])
        moved |= {place: part.view(tensor.shape) for (place, tensor), part in zip(same, parts, strict=True)}
    return [moved[place] for place in range(len(tensors))]


def method_losses(losses: Mapping[str, Tensor], _targets: None = None) -> Mapping[str, Tensor]:
    """Return the losses that the network has computed itself; the trainer's `loss_function` for such networks.

    Args:
        losses: losses by name; `loss` is the one to differentiate.
    """
    return losses


def sources(batch: Any) -> list[str]:
    """Name the files of a batch, or their indices where it carries no `source`."""
    items = batch if isinstance(batch, list | tuple) else [batch]
    found: list[str] = []
    for item in items:
        names = item.get("source", item.get("index")) if isinstance(item, Mapping) else None
        if isinstance(names, Tensor):
            names = names.flatten().tolist()
        found += [str(name) for name in ([names] if isinstance(names, str) else names or [])]
    return found


def batch_size(batch: Any) -> int:
    """Count the samples of a batch: the first extent of its first tensor with one; 0 when there is none."""
    return next((len(tensor) for tensor in tensors(batch) if tensor.ndim), 0)


def tensors(value: Any) -> Iterator[Tensor]:
    """Tensors in mappings, lists and tuples, however deep."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from tensors(item)


def detached(value: Any) -> Any:
    """Outputs of a network, mappings and lists of them too, without their graphs."""
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, Mapping):
        return {key: detached(item) for key, item in value.items()}
    return [detached(item) for item in value] if isinstance(value, list | tuple) else value


def positionable_sampler(loader: Any, epoch_length: int | None) -> Any:
    """The loader's sampler when it can start anywhere; warns when it cannot."""
    sampler = getattr(loader, "sampler", None)
    if not hasattr(sampler, "set_position"):
        logger.warning(
            "The data loader's sampler cannot start in mid-epoch: a run resumed there sees the first batches of the "
            "epoch again. common.sampling.SeededSampler resumes exactly."
        )
        return None
    if epoch_length != len(loader):
        raise ValueError(
            f"train#trainer#epoch_length is {epoch_length} but the loader has {len(loader)} batches; an exact resume "
            "needs both equal. Leave epoch_length out and limit the data set instead"
        )
    return sampler


def _moved(value: Any, moved: Mapping[int, Tensor], **kwargs: Any) -> Any:
    if isinstance(value, Tensor):
        return moved[id(value)] if id(value) in moved else value.to(**kwargs)
    if isinstance(value, Mapping):
        return {key: _moved(item, moved, **kwargs) for key, item in value.items()}
    if isinstance(value, list | tuple) and not isinstance(value, str):
        return [_moved(item, moved, **kwargs) for item in value]
    return value
