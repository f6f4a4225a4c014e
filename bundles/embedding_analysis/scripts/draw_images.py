"""Figures of images: corresponding points, and nearest neighbours."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from torch import Tensor

from common.figures import HALO, TEXT, series

from .drawing import DPI, WIDTH, column, picture

if TYPE_CHECKING:
    from .correspondence import Pair
    from .retrieval import Neighbours

COARSE = 24  # places on a side among which dense matches are drawn
LINES = 16
KINDS = {"view": "a turned crop of itself", "image": "another image of the patient", "patient": "another patient"}


def pairs_figure(pairs: Mapping[str, "Pair"]) -> Figure:
    """For each kind of pair the landmarks asked for and found, and below them the surest dense matches.

    Args:
        pairs: by kind.
    """
    figure, panels = column([1.95] * (2 * len(pairs)), panels=2)
    for row, (kind, pair) in enumerate(pairs.items()):
        points, dense = panels[2 * row], panels[2 * row + 1]
        for axes, image, title in zip(points, pair.images, ("landmarks", KINDS[kind]), strict=True):
            picture(axes, image, title)
        for number, style in enumerate(series(len(pair.match.source))):
            (row_s, col_s), (row_t, col_t), (row_f, col_f) = (points_P2[number].tolist() for points_P2 in pair.match)
            colour = style.color
            points[0].plot(col_s, row_s, "o", color=colour, markersize=5, markeredgecolor="black", markeredgewidth=0.6)
            points[1].plot([col_t, col_f], [row_t, row_f], color=colour, linewidth=0.8)
            points[1].plot(col_t, row_t, "o", color="none", markeredgecolor=colour, markersize=6, path_effects=HALO)
            points[1].plot(col_f, row_f, "x", color=colour, markersize=5, markeredgewidth=1.5, path_effects=HALO)
        points[1].set_xlabel("ring: truth, cross: found", fontsize=TEXT)
        matches = surest_matches(*pair.tokens, *pair.images)
        for axes, image in zip(dense, pair.images, strict=True):
            picture(axes, image)
        for (one, other), style in zip(matches, series(len(matches)), strict=True):
            start, end = ((col, row) for row, col in (one, other))  # matplotlib has (x, y)
            line = ConnectionPatch(start, end, "data", "data", axesA=dense[0], axesB=dense[1], linewidth=0.8)
            line.set(color=style.color, alpha=0.9)
            figure.add_artist(line)
        dense[0].set_xlabel(f"{len(matches)} surest mutual matches", fontsize=TEXT)
    return figure


def surest_matches(
    one_EGG: Tensor, other_EGG: Tensor, one_CSS: Tensor, other_CSS: Tensor
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Places of two images that are each other's most similar, the surest first: (row, col) as fractions.

    Only the half of the places with the most contrast takes part: all background is alike.

    Args:
        one_EGG: tokens.
        other_EGG: tokens.
        one_CSS: the image.
        other_CSS: the other one.
    """
    sides = [min(COARSE, tokens.shape[-1]) for tokens in (one_EGG, other_EGG)]
    vectors = [_unit(tokens, side) for tokens, side in zip((one_EGG, other_EGG), sides, strict=True)]
    flat = [~_has_contrast(image, side) for image, side in zip((one_CSS, other_CSS), sides, strict=True)]
    cosine = (vectors[0] @ vectors[1].T).masked_fill(flat[0][:, None] | flat[1], -torch.inf)
    best, there = cosine.max(1)
    is_mutual = (cosine.argmax(0)[there] == torch.arange(len(there))) & best.isfinite()
    order = best.masked_fill(~is_mutual, -torch.inf).argsort(descending=True)[: min(LINES, int(is_mutual.sum()))]
    return [(_middle(int(at), sides[0]), _middle(int(there[at]), sides[1])) for at in order]


def _unit(tokens_EGG: Tensor, side: int) -> Tensor:
    grid = tokens_EGG.shape[-1]
    chosen = ((torch.arange(side) + 0.5) * grid / side).long()
    return F.normalize(tokens_EGG[:, chosen][:, :, chosen].flatten(1).T.float(), dim=1)


def _has_contrast(image_CSS: Tensor, side: int) -> Tensor:
    """Whether the pixels of a place deviate as much as those of the median place, or more; (side * side,)."""
    grey = image_CSS.mean(0, keepdim=True).float()
    mean, square = (F.adaptive_avg_pool2d(values, side).flatten() for values in (grey, grey.square()))
    deviation = (square - mean.square()).clamp(min=0)
    return deviation >= deviation.median()


def _middle(place: int, side: int) -> tuple[float, float]:
    return (place // side + 0.5) / side, (place % side + 0.5) / side


def neighbours_figure(shown: "Neighbours") -> Figure:
    """A row for each image asked for, with its nearest ones and their cosines.

    Args:
        shown: what `Retrieval` found.
    """
    rows, columns = shown.pixels.shape[:2]
    side = WIDTH / columns
    figure = Figure(figsize=(WIDTH, rows * (side + 0.18)), dpi=DPI, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for row in range(rows):
        for place in range(columns):
            title = "image" if place == 0 else f"{shown.cosine[row, place - 1]:.3f}"
            picture(panels[row, place], shown.pixels[row, place].float() / 255, title)
    return figure
