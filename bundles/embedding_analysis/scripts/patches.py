"""Patches of images, cut and resized where the encoder is, and what it says of them.

Shapes: N images, P patches, C channels, S side of an image, s side of a patch as the encoder sees it, E channels of an
embedding. Boxes are top, left, bottom, right as fractions of the image's side.
"""

import torch
from torch import Tensor

from common.networks import Encoder
from common.views import crop_resize

from .landmark_images import LandmarkImages


def squares(centres_P2: Tensor, side: float) -> Tensor:
    """Boxes (P, 4) of squares about points; they may leave the image.

    Example:
        >>> squares(torch.tensor([[0.5, 0.25]]), 0.5)
        tensor([[0.2500, 0.0000, 0.7500, 0.5000]])
    """
    return torch.cat([centres_P2 - side / 2, centres_P2 + side / 2], dim=1)


@torch.inference_mode()
def embed_patches(
    encoder: Encoder,
    images: LandmarkImages,
    index_P: Tensor,
    boxes_P4: Tensor,
    size: int,
    batch_size: int,
    flip_P: Tensor | None = None,
) -> Tensor:
    """Embeddings (P, E) of patches, on the CPU.

    Patches of like size share a batch, since `cut` reads a window as large as the largest. What lies outside the image
    is black.

    Args:
        encoder: in evaluation mode.
        images: where the patches are.
        index_P: image of each patch.
        boxes_P4: its box.
        size: side in pixels that each patch is resized to; a box that is no square is distorted.
        batch_size: patches in a batch.
        flip_P: True mirrors a patch left to right.
    """
    device = next(encoder.parameters()).device
    order: list[Tensor] = []
    found: list[Tensor] = []
    for chunk in index_P.unique().split(batch_size):  # these images are read once for all of their patches
        pixels = images.pixels(chunk).to(device)
        own_P = torch.isin(index_P, chunk).nonzero()[:, 0]
        size_P2 = boxes_P4[own_P, 2:] - boxes_P4[own_P, :2]
        for rows in own_P[size_P2.prod(1).argsort(stable=True)].split(batch_size):
            flip = None if flip_P is None else flip_P[rows]
            patches = cut(pixels, torch.searchsorted(chunk, index_P[rows]), boxes_P4[rows], size, flip)
            found.append(encoder.embed(patches).float().cpu())
            order.append(rows)
    return torch.cat(found)[torch.cat(order).argsort()]


def cut(images_NCSS: Tensor, index_P: Tensor, boxes_P4: Tensor, size: int, flip_P: Tensor | None = None) -> Tensor:
    """`common.views.crop_resize` of many boxes of few images, at the price of the boxes instead of the images.

    Args:
        images_NCSS: uint8 in 0..255 or float.
        index_P: image of each patch.
        boxes_P4: its box.
        size: side in pixels.
        flip_P: True mirrors a patch left to right.

    Returns:
        (P, C, s, s), in [0, 1] where the images are uint8.
    """
    side, device = images_NCSS.shape[-1], images_NCSS.device
    boxes_P4 = (boxes_P4 * side).to(device)
    first_P2, last_P2 = boxes_P4[:, :2], boxes_P4[:, 2:]
    extent_2 = (last_P2 - first_P2).amax(0)
    reach_2 = (extent_2 / size).clamp(min=1).ceil() + 1  # the filter takes pixels beside the box
    height, width = (extent_2 + 2 * reach_2).ceil().clamp(max=side).long().tolist()
    start_P2 = (first_P2 - reach_2).floor().long()
    top_P, left_P = start_P2[:, 0].clamp(0, side - height), start_P2[:, 1].clamp(0, side - width)
    rows_PH1 = (top_P[:, None] + torch.arange(height, device=device))[:, :, None]
    cols_P1W = (left_P[:, None] + torch.arange(width, device=device))[:, None, :]
    windows_PHWC = images_NCSS.movedim(1, -1)[index_P.to(device)[:, None, None], rows_PH1, cols_P1W]
    shift_P4 = torch.stack([top_P, left_P, top_P, left_P], dim=1)
    return crop_resize(windows_PHWC.movedim(-1, 1), (boxes_P4 - shift_P4).float(), size, flip_P)
