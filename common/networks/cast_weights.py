"""Weights of frozen encoders in the type of mixed precision, cast together and not one by one in every pass."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn

from .encoders import Encoder

CAST_BY_AUTOCAST = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Layers of these very types hand their weights to autocast as they are; what inherits from them may not."""


class CastWeights:
    """Copies of a frozen network's weights in autocast's type, which its encoders hold while they are in use.

    Autocast casts a trainable weight once in a step, and one without gradient in every pass: a launch for each weight,
    197 of a Swin-B. With the copies a network gives the same to the bit. They are made when first needed, renewed by
    one call where a weight has changed (a teacher's in each step, an expert's never), are in no state dict and take two
    bytes a weight. Without autocast nothing happens.

    While in use its encoders must not be called with autocast switched off, nor from two threads. A change is seen by
    PyTorch's counter of writes, which writes through `.data` evade.

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
        self._copies: list[nn.Parameter] = []
        self._memory: list[tuple[int, torch.dtype]] = []
        self._versions: list[int] = []

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Passes within, and under autocast, cast none of these weights."""
        weights = [cast(nn.Parameter, layer._parameters[name]) for layer, name in self._places]
        dtype = _autocast_type(weights)
        if dtype is None:
            yield
            return
        try:
            self._put(self._current(weights, dtype))
            yield
        finally:
            self._put(weights)

    def _current(self, weights: Sequence[Tensor], dtype: torch.dtype) -> list[nn.Parameter]:
        memory, versions = [(weight.data_ptr(), dtype) for weight in weights], [weight._version for weight in weights]
        with torch.inference_mode(False), torch.no_grad():  # an inference tensor could not be written later
            if memory != self._memory:
                self._copies = [nn.Parameter(weight.to(dtype), requires_grad=False) for weight in weights]
            elif versions != self._versions:  # where they are, as graphs of a GPU remember places
                torch._foreach_copy_(list(self._copies), list(weights))
        self._memory, self._versions = memory, versions
        return self._copies

    def _put(self, weights: Sequence[nn.Parameter]) -> None:
        for (layer, name), weight in zip(self._places, weights, strict=True):
            layer._parameters[name] = weight  # what setattr does, without asking what else it could be: each pass pays


def _autocast_type(weights: Sequence[Tensor]) -> torch.dtype | None:
    """What autocast would cast these weights to; None where it would not, or where copies would not do for them."""
    if not weights or any(
        weight.dtype != torch.float32 or weight.requires_grad or weight.is_inference() for weight in weights
    ):  # a copy would take a trainable weight's gradient, and writes to an inference tensor cannot be seen
        return None
    device = weights[0].device.type
    if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
        return None
    return torch.get_autocast_dtype(device)
