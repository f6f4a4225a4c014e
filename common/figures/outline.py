"""Which part of the image a view shows, for drawing: where every corner of the view comes from."""

import math

import torch
from torch import Tensor

CORNERS = ((-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5))  # (row, col) of a view's, about its centre, by its side
SLACK = 1e-9  # of an edge that lies on another


def outline(box_4: Tensor, flip: bool = False, angle: float = 0.0) -> Tensor:
    """Corners of what an `AugmentedCrop` shows of the image.

    A crop that is rotated after it was cut shows less than its box: the box's corners leave the view, and the view's
    corners, which came from outside, are black. What is left has up to eight corners.

    Args:
        box_4: top, left, bottom, right in pixels of the image.
        flip: the crop is mirrored left to right, before it is rotated.
        angle: of the rotation in degrees, counter-clockwise as seen on screen.

    Returns:
        (P, 2) as (row, col) in pixels of the image, in order around the shown part.

    Example:
        >>> outline(torch.tensor([0.0, 10.0, 20.0, 30.0])).tolist()
        [[0.0, 10.0], [0.0, 30.0], [20.0, 30.0], [20.0, 10.0]]
        >>> outline(torch.tensor([0.0, 0.0, 20.0, 20.0]), angle=45.0).shape
        torch.Size([8, 2])
    """
    corners_P2 = torch.tensor(CORNERS, dtype=torch.float64)
    if angle:
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        row_4, col_4 = corners_P2.unbind(1)
        corners_P2 = _inside(torch.stack([sin * col_4 + cos * row_4, cos * col_4 - sin * row_4], dim=1))
    if flip:
        corners_P2 = corners_P2 * torch.tensor([1.0, -1.0])
    first_2, last_2 = box_4.double().unflatten(0, (2, 2))
    return (first_2 + last_2) / 2 + corners_P2 * (last_2 - first_2)


def _inside(points_P2: Tensor) -> Tensor:
    """What of a convex polygon lies in the square of side 1 about the origin, whose edges cut one after the other."""
    for inward in torch.tensor([(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)], dtype=torch.float64):
        kept, before = [], points_P2[-1]
        for point in points_P2:
            depth, depth_before = (float(place @ inward) + 0.5 for place in (point, before))
            if (depth < -SLACK) != (depth_before < -SLACK):
                kept.append(before + (point - before) * depth_before / (depth_before - depth))
            if depth >= -SLACK:
                kept.append(point)
            before = point
        points_P2 = torch.stack(kept)
    return points_P2
