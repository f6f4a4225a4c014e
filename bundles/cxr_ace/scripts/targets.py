"""Where the tokens of ACE's two aligned crops coincide, computed from their origins alone.

All positions are (row, column) in cells of the image. The fine crop covers n x n cells, one per token; the
coarse crop covers 2n x 2n cells, 2x2 per token. Origins have equal parity on each axis, so that every coarse
token covers exactly one 2x2 block of fine tokens, or none (methods A15-A18, A30).

Shapes: B images, n tokens per crop side, T = n * n tokens, m columns of a target map per side, E channels.
"""

import torch
from torch import Tensor

COMPOSITION_RADIUS = 1  # 3x3 kernel
DECOMPOSITION_RADIUS = 2  # 5x5 kernel


def overlap_masks(coarse_origin_B2: Tensor, fine_origin_B2: Tensor, tokens: int) -> tuple[Tensor, Tensor]:
    """Mark the tokens of either crop that lie in both crops.

    Args:
        coarse_origin_B2: (row, column) of the coarse crop's first cell.
        fine_origin_B2: (row, column) of the fine crop's first cell, of equal parity.
        tokens: n, tokens per side of either crop.

    Returns:
        bool masks (B, n, n) of the fine and of the coarse crop.
    """
    fine_in_coarse, coarse_in_fine = _positions(coarse_origin_B2, fine_origin_B2, tokens)
    fine_B2n = _within(fine_in_coarse, 2 * tokens)
    coarse_B2n = _within(coarse_in_fine, tokens // 2)
    return _outer(fine_B2n), _outer(coarse_B2n)


def composition_targets(coarse_origin_B2: Tensor, fine_origin_B2: Tensor, tokens: int) -> Tensor:
    """Match every coarse token with the 2x2 block of fine tokens that covers the same cells.

    Args:
        coarse_origin_B2: (row, column) of the coarse crop's first cell.
        fine_origin_B2: (row, column) of the fine crop's first cell, of equal parity.
        tokens: n, tokens per side of either crop.

    Returns:
        (B, n^2, (n/2)^2): a 3x3 kernel exp(-(i^2 + j^2) / 2) around the block, not normalised and cut at the
        border; zeros in the rows of coarse tokens outside the fine crop.
    """
    _, coarse_in_fine = _positions(coarse_origin_B2, fine_origin_B2, tokens)
    return _kernels(coarse_in_fine, tokens // 2, COMPOSITION_RADIUS)


def decomposition_targets(coarse_origin_B2: Tensor, fine_origin_B2: Tensor, tokens: int) -> Tensor:
    """Match every fine token with its cell in the coarse crop's map of twice the side.

    Args:
        coarse_origin_B2: (row, column) of the coarse crop's first cell.
        fine_origin_B2: (row, column) of the fine crop's first cell, of equal parity.
        tokens: n, tokens per side of either crop.

    Returns:
        (B, n^2, (2n)^2): a 5x5 kernel exp(-(i^2 + j^2) / 2) around the cell, not normalised and cut at the
        border; zeros in the rows of fine tokens outside the coarse crop.
    """
    fine_in_coarse, _ = _positions(coarse_origin_B2, fine_origin_B2, tokens)
    return _kernels(fine_in_coarse, 2 * tokens, DECOMPOSITION_RADIUS)


def overlap_mean(tokens_BEHW: Tensor, mask_BHW: Tensor) -> Tensor:
    """Mean (B, E) of the tokens that a mask (B, H, W) marks; 0 where it marks none, as in the release (A19)."""
    mask_B1HW = mask_BHW.unsqueeze(1).float()
    return (tokens_BEHW * mask_B1HW).sum((2, 3)) / mask_B1HW.sum((2, 3)).clamp_min(1)


def _positions(coarse_origin_B2: Tensor, fine_origin_B2: Tensor, tokens: int) -> tuple[Tensor, Tensor]:
    """Cell of every fine token in the coarse crop, block of every coarse token in the fine crop: (B, 2, n) each."""
    index_n = torch.arange(tokens, device=coarse_origin_B2.device)
    offset_B21 = (coarse_origin_B2 - fine_origin_B2).unsqueeze(2)
    if not offset_B21.is_cuda and (offset_B21 % 2).any():  # on a GPU the check would stall the queue
        raise ValueError("origins of the two crops differ in parity, so that composed tokens match no coarse token.")
    return index_n - offset_B21, index_n + offset_B21.div(2, rounding_mode="floor")


def _within(position_B2n: Tensor, side: int) -> Tensor:
    return (position_B2n >= 0) & (position_B2n < side)


def _kernels(centre_B2n: Tensor, side: int, radius: int) -> Tensor:
    """Gaussian kernels of sigma 1 around (row, column) centres, as the product of both axes: (B, n^2, side^2)."""
    column_m = torch.arange(side, device=centre_B2n.device)
    distance_B2nm = column_m - centre_B2n.unsqueeze(3)
    kernel_B2nm = torch.exp(-(distance_B2nm.float() ** 2) / 2) * (distance_B2nm.abs() <= radius)
    rows_Bnm, cols_Bnm = (kernel_B2nm * _within(centre_B2n, side).unsqueeze(3)).unbind(1)
    return torch.einsum("bik,bjl->bijkl", rows_Bnm, cols_Bnm).flatten(3, 4).flatten(1, 2)


def _outer(axis_B2n: Tensor) -> Tensor:
    rows_Bn, cols_Bn = axis_B2n.unbind(1)
    return rows_Bn.unsqueeze(2) & cols_Bn.unsqueeze(1)
