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
    first = next((file for file in encoders.values() if file and describe_encoder(file)), None)
    named = {"architecture": architecture, "options": options}
    built = {}
    for name, file in encoders.items():
        own: dict[str, Any] = {"file": file} if file and describe_encoder(file) else {"file": file, **named}
        if file is None and architecture is None:
            own = {"file": first, "load_weights": False}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            built[str(name)] = build_encoder(in_channels=channels, **own).to(device).eval()
    return built
