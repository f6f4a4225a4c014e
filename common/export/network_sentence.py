"""What a network is, in the words of its description: a bundle builds many, and an export holds one of them."""

from collections.abc import Mapping
from typing import Any

GENERIC = "An encoder of this collection, "
"""How a bundle's description begins that lists what may be built; what the network gives follows a semicolon."""


def described(description: str, network: Mapping[str, Any], start: str) -> str:
    """A bundle's description of the one network that was trained.

    Args:
        description: the bundle's own. The list of what may be built is replaced; what a method does stays, and the
            network follows.
        network: config keys that it was built from: `architecture` and, where it has them, `encoder_options`,
            `decoder` and `decoder_channels`.
        start: what its training began with, such as `random weights`; empty where that is not known.
    """
    if not network.get("architecture"):
        return description
    sentence = f"{network['architecture']}{_options(network.get('encoder_options') or {})}"
    if network.get("decoder"):
        width = f" of width {network['decoder_channels']}" if network.get("decoder_channels") else ""
        sentence += f" with the decoder {network['decoder']}{width}"
    sentence += f", trained from {start}" if start else ""
    if description.startswith(GENERIC):
        _, _, gives = description.partition("; ")
        return f"{sentence}; {gives}" if gives else f"{sentence}."
    return f"{description} This one: {sentence}."


def _options(options: Mapping[str, Any]) -> str:
    told = ", ".join(f"{name} {value}" for name, value in options.items())
    return f" ({told})" if told else ""
