"""What an analysis says of an encoder."""

from typing import Any, NamedTuple


class Found(NamedTuple):
    """Numbers by name, and what the analysis draws its figure from."""

    numbers: dict[str, float]
    shown: Any
