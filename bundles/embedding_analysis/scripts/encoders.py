"""The encoders that are compared, by name."""

from collections.abc import Mapping
from typing import Any

import torch

from common.networks import Encoder, build_encoder, describe_encoder


def build_encoders(
    encoders: Mapping[str, str | None],
    channels: int = 1,
    architecture: str | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> dict[str, Encoder]:
    """Build each encoder in evaluation mode: from its file, or at random.

    Args:
        encoders: name -> file of an encoder, ours or an author's; None has random weights.
        channels: of the images.
        architecture: timm's name, of those without a file and of files that do not describe themselves; None takes
            that of the first file that does.
        options: of timm, likewise.
        seed: of random weights.
        device: where they are.

    Raises:
        ValueError: no encoders, no mapping, or nothing tells the architecture of a random one.
    """
    if not encoders or not isinstance(encoders, Mapping):
        raise ValueError(f"encoders is {encoders!r}; name one or more, as in --encoders '{{ACE: FILE, random: null}}'.")
    described = [found for file in encoders.values() if file and (found := describe_encoder(file)) is not None]
    if architecture is None and described:
        architecture, options = described[0].architecture, described[0].options
    built = {}
    for name, file in encoders.items():
        own: dict[str, Any] = {"file": file, "in_channels": channels}
        if file is None or describe_encoder(file) is None:
            own |= {"architecture": architecture, "options": options}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            built[str(name)] = build_encoder(**own).to(device).eval()
    return built
