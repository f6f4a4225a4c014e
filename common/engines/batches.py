"""What goes from the data loader into the network, and out of it into the losses."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor


def whole_batch(
    batch: Mapping[str, Any], device: torch.device | str | None = None, non_blocking: bool = False, **kwargs: Any
) -> tuple[Any, None]:
    """Hand the network the whole batch, with its tensors on the device, and no separate target.

    For methods that compute their losses themselves; give it as the trainer's `prepare_batch`.

    Args:
        batch: mapping of tensors, nested mappings and lists; what is no tensor stays as it is.
        device: where the tensors go.
        non_blocking: copy from pinned memory without waiting.
        kwargs: passed to `Tensor.to`.
    """
    return _moved(batch, device=device, non_blocking=non_blocking, **kwargs), None


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
    return next((len(tensor) for tensor in _tensors(batch) if tensor.ndim), 0)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _tensors(item)


def _moved(value: Any, **kwargs: Any) -> Any:
    if isinstance(value, Tensor):
        return value.to(**kwargs)
    if isinstance(value, Mapping):
        return {key: _moved(item, **kwargs) for key, item in value.items()}
    if isinstance(value, list | tuple) and not isinstance(value, str):
        return [_moved(item, **kwargs) for item in value]
    return value
