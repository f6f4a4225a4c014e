"""A view of an image whose every point is known: a crop, enlarged to the image's size and turned about its middle."""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from common.views import crop_resize, rotate


class MovedView(NamedTuple):
    """What is done to an image.

    Args:
        top: of the crop, as a fraction of the image's side.
        left: likewise.
        side: likewise, in (0, 1].
        angle: degrees, counter-clockwise as seen on screen.
    """

    top: float
    left: float
    side: float
    angle: float

    @classmethod
    def draw(cls, generator: Generator, side: float, angle: float) -> "MovedView":
        """A crop of that side anywhere, turned by at most so many degrees to either side."""
        row, col, turn = torch.rand(3, generator=generator, dtype=torch.float64).tolist()
        return cls((1 - side) * row, (1 - side) * col, side, angle * (2 * turn - 1))

    def render(self, image_CSS: Tensor) -> Tensor:
        """The view, of the image's size; what lies outside of the crop's square is black."""
        size = image_CSS.shape[-1]
        box_4 = torch.tensor([self.top, self.left, self.top + self.side, self.left + self.side]) * size
        return rotate(crop_resize(image_CSS[None], box_4[None], size), torch.tensor([self.angle]))[0]

    def place(self, points_P2: Tensor) -> Tensor:
        """Where points of the image lie in the view, (row, col) as fractions; nan where it does not show them."""
        within_P2 = (points_P2 - torch.tensor([self.top, self.left], dtype=points_P2.dtype)) / self.side - 0.5
        cos, sin = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        row_P, col_P = within_P2.unbind(1)
        turned_P2 = torch.stack([row_P * cos - col_P * sin, row_P * sin + col_P * cos], dim=1)
        # The turned square has lost its corners, and what has come in their place is black.
        is_shown_P = ((within_P2.abs() < 0.5) & (turned_P2.abs() < 0.5)).all(1)
        return torch.where(is_shown_P[:, None], turned_P2 + 0.5, torch.nan)
