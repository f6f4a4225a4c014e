"""Where a patch lies and what its quarters are, computed from its box alone.

Boxes are (top, left, bottom, right) in pixels of the image. A flip mirrors a patch, and its quarters are those of the
mirrored patch: its top left quarter is the image's top right one. Quarters are always listed top left, top right,
bottom left, bottom right, for images and for feature maps (methods C3).

Shapes: B images, E channels, h w cells of a feature map.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from common.views import quarter_boxes


def shown_quarters(box_4: Tensor, flip: bool, vertical_flip: bool) -> Tensor:
    """Boxes (4, 4) of the quarters of one patch (4,), in the order in which the flipped patch shows them."""
    order = [2 * (row ^ int(vertical_flip)) + (col ^ int(flip)) for row in (0, 1) for col in (0, 1)]
    return quarter_boxes(box_4)[order]


def quarter_maps(map_BEhw: Tensor) -> Tensor:
    """Cut feature maps at the middle into quarters, each bilinearly enlarged to the whole's size.

    An odd side is cut with the smaller half first: 7 cells are 3 and 4 (methods C13).

    Args:
        map_BEhw: at least 2 x 2 cells.

    Returns:
        (4 B, E, h, w), all quarters of the first image, then of the second.

    Raises:
        ValueError: a map of one row or column.
    """
    B, E, h, w = map_BEhw.shape
    if min(h, w) < 2:
        raise ValueError(
            f"The encoder's map has {h} x {w} cells and cannot be cut into quarters; make views larger (`size`)."
        )
    rows, cols = (slice(0, h // 2), slice(h // 2, h)), (slice(0, w // 2), slice(w // 2, w))
    parts = [F.interpolate(map_BEhw[:, :, r, c], (h, w), mode="bilinear") for r in rows for c in cols]
    return torch.stack(parts, dim=1).reshape(4 * B, E, h, w)


def location_targets(
    box_B4: Tensor,
    scale_B: Tensor,
    size_B2: Tensor,
    reference: str,
    flip_B: Tensor | None = None,
    vertical_flip_B: Tensor | None = None,
) -> Tensor:
    """Scale and place of patches as the loss wants them: (scale, x, y), places in tenths of the image (methods C8).

    Args:
        box_B4: patches in the image.
        scale_B: the patch's nominal scale, which is its target.
        size_B2: (height, width) of the images.
        reference: "centre" or "corner", the top left one, of the patch (methods C5).
        flip_B: where True, the place is that of the mirrored patch in the mirrored image; None mirrors none (C4).
        vertical_flip_B: likewise from top to bottom.

    Returns:
        (B, 3) in [0, 1], x along the width and y along the height.
    """
    places = []
    for axis, flips_B in ((1, flip_B), (0, vertical_flip_B)):
        first_B, last_B = box_B4[:, axis] / size_B2[:, axis], box_B4[:, axis + 2] / size_B2[:, axis]
        if flips_B is not None:
            first_B, last_B = torch.where(flips_B, 1 - last_B, first_B), torch.where(flips_B, 1 - first_B, last_B)
        places.append((first_B + last_B) / 2 if reference == "centre" else first_B)
    x_B, y_B = (torch.round(10 * place_B) / 10 for place_B in places)
    return torch.stack([scale_B, x_B, y_B], dim=1)
