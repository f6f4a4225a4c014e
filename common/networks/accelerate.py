"""Make the encoders of a network faster or smaller to train, in place, without changing what is saved."""

from typing import TypeVar

import torch
from torch import nn

from .batch_statistics import has_batch_norm, without_counters
from .encoders import Encoder

Network = TypeVar("Network", bound=nn.Module)
PASSES = ("forward_features", "forward_intermediates")
"""What an encoder calls of its timm model."""


def accelerated(
    network: Network,
    compile: bool | str = False,
    channels_last: bool = False,
    checkpointing: bool = False,
) -> Network:
    """The same network, all of whose encoders, of student, teacher and online expert, run another way.

    Names in state dicts, weights and results up to rounding stay as they are; encoder files and exports are made of
    plain networks anyway. Batch norms stop counting batches, which nothing reads. Call it when the teacher has been
    copied from the student.

    Args:
        network: changed in place.
        compile: True, or a mode of `torch.compile` such as "reduce-overhead", which replays CUDA graphs: worth it where
            launching takes longer than computing. The first steps take minutes. False leaves Python's.
        channels_last: keep the memory of convolutions by pixels, which mixed precision on GPUs is made for.
        checkpointing: compute activations of transformer blocks anew in the backward pass, for larger batches.

    Raises:
        ValueError: checkpointing of a network with batch norm, whose running statistics would count every batch twice.

    Example:
        >>> from common.networks import build_encoder
        >>> encoder = build_encoder("resnet18", image_size=32)
        >>> names = list(encoder.state_dict())
        >>> names == list(accelerated(encoder, channels_last=True).state_dict())
        True
    """
    without_counters(network)
    if channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # PyTorch's stub lacks it
    for encoder in (module for module in network.modules() if isinstance(module, Encoder)):
        if checkpointing:
            if has_batch_norm(encoder):
                raise ValueError(
                    f"checkpointing is true, and {encoder.description.architecture} has batch norm, which would count "
                    "every batch twice. Leave it false, or take a ViT or Swin."
                )
            encoder.body.set_grad_checkpointing()
        if compile:
            mode = compile if isinstance(compile, str) else None
            for name in PASSES:
                setattr(encoder.body, name, torch.compile(getattr(encoder.body, name), mode=mode))
    return network
