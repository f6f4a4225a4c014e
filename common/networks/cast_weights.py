"""Weights of frozen encoders in the type of mixed precision: cast once, and not in every pass."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .encoders import Encoder

CAST_BY_AUTOCAST = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Layers of these very types hand their weights to autocast as they are; what inherits from them may not."""


class CastWeights:
    """Copies of a frozen network's weights in autocast's type, which its encoders hold while they are in use.

    Autocast casts a trainable weight once in a step, and one without gradient in every pass: a launch for each weight,
    some sixty of a Swin-B. With the copies a network gives the same to the bit. They are made when first needed and
    anew where a weight has changed, and are in no state dict. Without autocast nothing happens.

    Args:
        network: whose encoders' linear layers and convolutions are meant; its heads keep what they have, since some of
            them leave autocast.

    Example:
        >>> from common.networks import build_encoder
        >>> encoder = build_encoder("resnet18", image_size=32).requires_grad_(False)
        >>> with torch.autocast("cpu", torch.bfloat16), CastWeights(encoder).in_use():
        ...     encoder.body.conv1.weight.dtype
        torch.bfloat16
        >>> encoder.body.conv1.weight.dtype
        torch.float32
    """

    def __init__(self, network: nn.Module):
        encoders = (module for module in network.modules() if isinstance(module, Encoder))
        layers = {id(layer): layer for encoder in encoders for layer in encoder.modules()}  # one may hold another
        self._places = [
            (layer, name)
            for layer in layers.values()
            if type(layer) in CAST_BY_AUTOCAST
            for name, _ in layer.named_parameters(recurse=False)
        ]
        self._copies: list[Tensor] = []
        self._memory: list[tuple[int, torch.dtype]] = []
        self._versions: list[int] = []

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Passes within, and under autocast, cast none of these weights."""
        weights = [getattr(layer, name) for layer, name in self._places]
        device = weights[0].device.type if weights else "cpu"
        if not weights or not torch.is_autocast_enabled(device):
            yield
            return
        self._put(self._current(weights, torch.get_autocast_dtype(device)))
        try:
            yield
        finally:
            self._put(weights)

    def _current(self, weights: Sequence[Tensor], dtype: torch.dtype) -> list[Tensor]:
        memory, versions = [(weight.data_ptr(), dtype) for weight in weights], [weight._version for weight in weights]
        with torch.inference_mode(False), torch.no_grad():  # an inference tensor could not be written later
            if memory != self._memory:
                self._copies = [nn.Parameter(weight.to(dtype), requires_grad=False) for weight in weights]
            elif versions != self._versions:  # where they are, as graphs of a GPU remember places
                torch._foreach_copy_(self._copies, list(weights))
        self._memory, self._versions = memory, versions
        return self._copies

    def _put(self, weights: Sequence[Tensor]) -> None:
        for (layer, name), weight in zip(self._places, weights, strict=True):
            setattr(layer, name, weight)
