"""Losses by name, as a trainer keeps them."""

from collections.abc import Mapping

import torch
from monai.utils import CommonKeys as Keys
from torch import Tensor

from . import distributed


def by_name(losses: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Losses as mappings; a single tensor is the total.

    Raises:
        KeyError: a mapping without `loss`, the one to differentiate.
    """
    named = {Keys.LOSS: losses} if isinstance(losses, Tensor) else dict(losses)
    if Keys.LOSS not in named:
        raise KeyError(f"loss_function returned {sorted(named)} and no 'loss', the part to differentiate")
    return {str(name): value for name, value in named.items()}


def means(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their means, with their graphs."""
    return {name: value.mean() for name, value in losses.items()}


def averaged(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Scalars averaged over processes: not finite in any as soon as they are not in one."""
    together = distributed.mean(torch.stack([value.detach().float() for value in losses.values()]))
    return dict(zip(losses, together.unbind(), strict=True))
