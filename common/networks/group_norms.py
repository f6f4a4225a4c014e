"""Norms that do not depend on the batch."""

import math

from torch import nn


def group_norms(module: nn.Module) -> None:
    """Replace every 2D batch norm inside `module` by a group norm with at least 4 channels to a group."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.GroupNorm(groups(child.num_features), child.num_features))
        else:
            group_norms(child)


def groups(channels: int) -> int:
    """Number of groups that a group norm over `channels` has."""
    return math.gcd(32, max(channels // 4, 1))
