"""Build an encoder, from a name or from a file."""

from collections.abc import Mapping, Sequence
from typing import Any

from .description import EncoderDescription, default_normalisation, per_channel
from .encoders import Encoder


def build_encoder(
    architecture: str,
    in_channels: int = 1,
    image_size: int = 224,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    options: Mapping[str, Any] | None = None,
    drop_path: float = 0.0,
) -> Encoder:
    """Build an encoder."""
    default_mean, default_std = default_normalisation(in_channels)
    description = EncoderDescription(
        architecture=architecture,
        options=options or {},
        in_channels=in_channels,
        image_size=image_size,
        mean=per_channel(default_mean if mean is None else mean, in_channels),
        std=per_channel(default_std if std is None else std, in_channels),
    )
    return Encoder(description, drop_path=drop_path)
