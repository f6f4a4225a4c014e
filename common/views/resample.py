"""Cut boxes out of every image of a batch and resize them, in one resampling; rotate a batch.

Shapes: B images, V boxes of each, N of all, C channels, H W image, S T output rows and columns, R input pixels along
one axis.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def crop_resize(
    images_BCHW: Tensor,
    boxes_B4: Tensor,
    size: int | tuple[int, int],
    flip_B: Tensor | None = None,
    antialias: bool = True,
) -> Tensor:
    """Resample one axis-aligned box per image with a triangle filter.

    The filter is separable, so a batch is two batched matrix products with per-image weights: no loop
    over images, any device, no rounding of boxes to pixels. The triangle widens with the shrinking
    factor, as in Pillow and `interpolate(antialias=True)`. Pixels next to the box but inside the image
    take part; output pixels whose centre lies outside the image are 0.

    Args:
        images_BCHW: uint8 in 0..255, or float, kept at its scale.
        boxes_B4: top, left, bottom, right in pixels; pixel i covers [i, i + 1]. May leave the image.
        size: output side, or (height, width), in pixels.
        flip_B: bool, True mirrors that image left to right; None mirrors none.
        antialias: False samples bilinearly at pixel centres also when shrinking (released ACE, A20).

    Returns:
        float32 (B, C, height, width); uint8 input is scaled to [0, 1].

    Raises:
        ValueError: `boxes_B4` is not (B, 4).

    Example:
        >>> image = torch.arange(16.0).reshape(1, 1, 4, 4)
        >>> crop_resize(image, torch.tensor([[1.0, 2.0, 3.0, 4.0]]), size=2).tolist()
        [[[[6.0, 7.0], [10.0, 11.0]]]]
    """
    return crops_resize(images_BCHW, boxes_B4[None], size, None if flip_B is None else flip_B[None], antialias)[0]


def crops_resize(
    images_BCHW: Tensor,
    boxes_VB4: Tensor,
    size: int | tuple[int, int],
    flip_VB: Tensor | None = None,
    antialias: bool = True,
) -> Tensor:
    """`crop_resize` of several boxes of every image, by as many operations as for one.

    Every image is read once: all its boxes are columns of one matrix product.

    Args:
        images_BCHW: uint8 in 0..255, or float, kept at its scale.
        boxes_VB4: V boxes of each image, as of `crop_resize`.
        size: output side, or (height, width), in pixels.
        flip_VB: bool, True mirrors that crop left to right; None mirrors none.
        antialias: as of `crop_resize`.

    Returns:
        float32 (V, B, C, height, width); uint8 input is scaled to [0, 1].

    Raises:
        ValueError: `boxes_VB4` is not (V, B, 4).

    Example:
        >>> boxes = torch.tensor([[[1.0, 2.0, 3.0, 4.0]], [[0.0, 0.0, 1.0, 1.0]]])
        >>> crops_resize(torch.arange(16.0).reshape(1, 1, 4, 4), boxes, size=1).flatten().tolist()
        [8.5, 0.0]
    """
    if boxes_VB4.ndim != 3 or boxes_VB4.shape[1:] != (len(images_BCHW), 4):
        raise ValueError(
            f"boxes have shape {tuple(boxes_VB4.shape[1:])} for {len(images_BCHW)} images; "
            "expected one row (top, left, bottom, right) per image."
        )
    height, width = (size, size) if isinstance(size, int) else size
    count, batch = boxes_VB4.shape[:2]
    boxes_VB4 = boxes_VB4.to(images_BCHW.device, torch.float32)
    rows_N2 = boxes_VB4[..., 0::2].flatten(0, 1)
    cols_N2 = boxes_VB4[..., 1::2].transpose(0, 1).flatten(0, 1)  # by image: an image's boxes lie side by side
    if images_BCHW.shape[2] == images_BCHW.shape[3] and height == width:  # by as many operations as one axis alone
        edges_N2 = torch.cat([rows_N2, cols_N2])
        rows_NSR, cols_NTR = _axis_weights(edges_N2, images_BCHW.shape[2], height, antialias).chunk(2)
    else:
        rows_NSR = _axis_weights(rows_N2, images_BCHW.shape[2], height, antialias)
        cols_NTR = _axis_weights(cols_N2, images_BCHW.shape[3], width, antialias)
    rows_VBSR, cols_BVTR = rows_NSR.unflatten(0, (count, batch)), cols_NTR.unflatten(0, (batch, count))
    if flip_VB is not None:
        cols_BVTR = torch.where(flip_VB.T.to(cols_BVTR.device)[:, :, None, None], cols_BVTR.flip(2), cols_BVTR)
    # A recipe's mixed precision is for networks: at bfloat16 a pixel would keep 8 of its bits.
    with torch.autocast(images_BCHW.device.type, enabled=False):
        narrow_BCHN = images_BCHW.float() @ cols_BVTR.flatten(1, 2).transpose(1, 2).unsqueeze(1)
        narrow_VBCHT = narrow_BCHN.unflatten(3, (count, width)).movedim(3, 0)
        resized = rows_VBSR.unsqueeze(2) @ narrow_VBCHT
    return resized / 255 if images_BCHW.dtype == torch.uint8 else resized


def rotate(images_BCHW: Tensor, angle_B: Tensor) -> Tensor:
    """Rotate every image about its centre, bilinearly; what comes from outside is black.

    Args:
        images_BCHW: float, square or not.
        angle_B: degrees, counter-clockwise as seen on screen.

    Returns:
        same shape and type.

    Example:
        >>> image = torch.arange(9.0).reshape(1, 1, 3, 3)
        >>> rotate(image, torch.tensor([180.0])).round().flatten().tolist()
        [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    """
    height, width = images_BCHW.shape[-2:]
    angle_B = torch.deg2rad(angle_B.to(images_BCHW.device, torch.float32))
    cos_B, sin_B = angle_B.cos(), angle_B.sin()
    zero_B = torch.zeros_like(cos_B)
    # rows of x and y read from (x, y), each in units of half its own side
    theta_B23 = torch.stack(
        [cos_B, sin_B * (-height / width), zero_B, sin_B * (width / height), cos_B, zero_B], dim=1
    ).unflatten(1, (2, 3))
    with torch.autocast(images_BCHW.device.type, enabled=False):
        grid_BHW2 = F.affine_grid(theta_B23, list(images_BCHW.shape), align_corners=False)
        return F.grid_sample(images_BCHW, grid_BHW2, padding_mode="zeros", align_corners=False)


def _axis_weights(edges_B2: Tensor, length: int, size: int, antialias: bool) -> Tensor:
    """Weights (B, size, length) that map the input pixels of one axis to the output pixels between two edges."""
    start_B, end_B = edges_B2.unbind(1)
    step_B1 = ((end_B - start_B) / size)[:, None]
    centres_BS = start_B[:, None] + torch.arange(0.5, size, device=start_B.device) * step_B1
    reach_B1 = step_B1.clamp(min=1.0) if antialias else torch.ones_like(step_B1)
    pixels_R = torch.arange(0.5, length, device=start_B.device)
    distance_BSR = (pixels_R / reach_B1)[:, None, :] - (centres_BS / reach_B1)[:, :, None]
    weights_BSR = distance_BSR.abs_().neg_().add_(1.0).clamp_(min=0.0)
    total_BS = weights_BSR.sum(2).clamp(min=torch.finfo(torch.float32).tiny)
    inside_BS = (centres_BS >= 0) & (centres_BS <= length)
    return weights_BSR.mul_((inside_BS / total_BS)[:, :, None])
