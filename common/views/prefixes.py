"""Parameters of several crops of one image in one flat mapping, which default collation can stack."""

from collections.abc import Mapping

from torch import Tensor

from ..sampling import Params


def add_prefix(params: Mapping[str, Tensor], prefix: str) -> Params:
    """Rename parameters so that two crops of one image can share a flat mapping."""
    return {prefix + name: value for name, value in params.items()}


def take_prefix(params: Mapping[str, Tensor], prefix: str) -> Params:
    """The parameters whose name starts with `prefix`, without it; inverse of `add_prefix`."""
    return {name.removeprefix(prefix): value for name, value in params.items() if name.startswith(prefix)}
