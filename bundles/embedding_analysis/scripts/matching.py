"""Points of one image, found in another by the most similar token.

Shapes: P points, E channels of a token, G places on each side of an image, C channels and S side of an image.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Match(NamedTuple):
    """Points of one image, found in another; all (P, 2) as (row, col) fractions of the image's side.

    Args:
        source: points asked for.
        truth: where they are in the other image.
        found: where the most similar token is.
    """

    source: Tensor
    truth: Tensor
    found: Tensor


class Pair(NamedTuple):
    """Two images (C, S, S), the points matched, and tokens (E, G, G) of both, for drawing."""

    images: tuple[Tensor, Tensor]
    match: Match
    tokens: tuple[Tensor, Tensor]


def find(points_P2: Tensor, tokens_EGG: Tensor, others_EGG: Tensor) -> Tensor:
    """Middles (P, 2) of the places of another image whose token is most similar to that at each point.

    Args:
        points_P2: (row, col) as fractions of the image's side.
        tokens_EGG: of the image with the points.
        others_EGG: of the other one.
    """
    grid = tokens_EGG.shape[-1]
    row_P, col_P = (points_P2 * grid).long().clamp(0, grid - 1).to(tokens_EGG.device).unbind(1)
    query_EP = F.normalize(tokens_EGG[:, row_P, col_P], dim=0)
    best_P = (query_EP.T @ F.normalize(others_EGG.flatten(1), dim=0)).argmax(1).cpu()
    return (torch.stack([best_P // grid, best_P % grid], dim=1) + 0.5).double() / grid


def distance(one_P2: Tensor, other_P2: Tensor, side: int) -> float:
    """Mean distance of points in pixels of an image of that side."""
    return (one_P2 - other_P2).norm(dim=1).mean().item() * side
