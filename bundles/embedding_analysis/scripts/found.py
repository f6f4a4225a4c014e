"""What an analysis is, and what it says of an encoder."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from matplotlib.figure import Figure

from common.networks import Encoder

from .landmark_images import LandmarkImages


class Found(NamedTuple):
    """Numbers by name, and what the analysis draws its figure from."""

    numbers: dict[str, float]
    shown: Any


class Analysis(Protocol):
    """A question to an encoder.

    Attributes:
        title: of its section of the page.
        about: what is asked, and how the numbers are read.
        highest: beginnings of the names of numbers of which the highest is the best.
        lowest: likewise the lowest.
    """

    title: str
    about: str
    highest: Sequence[str]
    lowest: Sequence[str]

    def __call__(self, encoder: Encoder, images: LandmarkImages) -> Found:
        """Measure."""

    def draw(self, shown: Any) -> Figure:
        """The figure of one encoder."""
