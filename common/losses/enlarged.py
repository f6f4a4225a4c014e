"""Cross-entropy of a label map from logits on a coarser grid, without the logits of all voxels in memory at once.

Linear enlargement is a matrix along each axis. Along the depth it is done first, where the rest is still small; the
other two axes, the softmax and the gradient follow for a few slices at a time, and nothing of a voxel is kept.

Shapes: B batch, S structures, D H W voxels, d h w grid, N slices (B x D).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

CPU_VALUES, GPU_VALUES = 2**19, 2**25
"""Logits at once: what a processor's cache holds, and what keeps a GPU busy; 2 and 128 MiB."""


def enlarged_cross_entropy(logits_BSdhw: Tensor, labels_BDHW: Tensor, ignore: int) -> Tensor:
    """Sum of the cross-entropy over voxels, of logits enlarged trilinearly to the label map.

    As `F.cross_entropy(F.interpolate(logits, (D, H, W), mode="trilinear"), labels, ignore_index=ignore,
    reduction="sum")`, in float32 or better whatever the logits are. The gradient is found in the same pass; where a
    second one is wanted too, it is computed anew for all voxels.

    Args:
        logits_BSdhw: on the grid.
        labels_BDHW: integers below S, or `ignore`.
        ignore: label of voxels that do not count.

    Example:
        >>> logits, labels = torch.zeros(1, 4, 1, 1, 1), torch.zeros(1, 2, 2, 2, dtype=torch.uint8)
        >>> round(enlarged_cross_entropy(logits, labels, ignore=255).item() / 8, 4)  # log 4: no preference among four
        1.3863
    """
    depth, height, width = labels_BDHW.shape[1:]
    with torch.autocast(logits_BSdhw.device.type, enabled=False):
        logits_BSdhw = logits_BSdhw.to(torch.promote_types(logits_BSdhw.dtype, torch.float32))
        along_D, along_H, along_W = (
            _enlargement(logits_BSdhw, axis, size) for axis, size in ((2, depth), (3, height), (4, width))
        )
        slices_NShw = torch.einsum("bsdhw,Dd->bDshw", logits_BSdhw, along_D).flatten(0, 1)
        return _Slices.apply(slices_NShw, labels_BDHW.flatten(0, 1), along_H, along_W, ignore)


class _Slices(torch.autograd.Function):
    """Sum of the cross-entropy over slices, each enlarged in its plane."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, logits_NShw: Tensor, labels_NHW: Tensor, along_H: Tensor, along_W: Tensor, ignore: int
    ) -> Tensor:
        values = CPU_VALUES if logits_NShw.device.type == "cpu" else GPU_VALUES
        number = max(1, values // (logits_NShw.shape[1] * labels_NHW[0].numel()))
        parts = [
            _loss_and_gradient(logits, labels, along_H, along_W, ignore, ctx.needs_input_grad[0])
            for logits, labels in zip(logits_NShw.split(number), labels_NHW.split(number), strict=True)
        ]
        ctx.rest = (labels_NHW, along_H, along_W, ignore)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(logits_NShw, torch.cat([gradient for _, gradient in parts]))
        return torch.stack([loss for loss, _ in parts]).sum()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        logits_NShw, gradient_NShw = ctx.saved_tensors
        if torch.is_grad_enabled():  # for a second derivative
            labels_NHW, along_H, along_W, ignore = ctx.rest
            gradient_NShw = _loss_and_gradient(logits_NShw, labels_NHW, along_H, along_W, ignore, True)[1]
        return grad * gradient_NShw, None, None, None, None


def _loss_and_gradient(
    logits_NShw: Tensor, labels_NHW: Tensor, along_H: Tensor, along_W: Tensor, ignore: int, with_gradient: bool
) -> tuple[Tensor, Tensor]:
    """The sum over some slices, and its gradient by their logits on the grid."""
    counts_N1HW = (labels_NHW != ignore).unsqueeze(1)
    labels_N1HW = labels_NHW.unsqueeze(1).long() * counts_N1HW
    log_p_NSHW = F.log_softmax(along_H @ logits_NShw @ along_W.T, 1)
    loss = -(log_p_NSHW.gather(1, labels_N1HW) * counts_N1HW).sum()
    if not with_gradient:
        return loss, logits_NShw
    by_logits_NSHW = log_p_NSHW.exp()
    truth_N1HW = by_logits_NSHW.gather(1, labels_N1HW) - 1
    by_logits_NSHW = by_logits_NSHW.scatter(1, labels_N1HW, truth_N1HW) * counts_N1HW
    return loss, along_H.T @ (by_logits_NSHW @ along_W)


def _enlargement(like: Tensor, axis: int, size: int) -> Tensor:
    """Matrix (size, cells) that enlarges an axis linearly, as `F.interpolate` does without `align_corners`."""
    cells = torch.eye(like.shape[axis], dtype=like.dtype, device=like.device)
    return F.interpolate(cells.unsqueeze(1), size, mode="linear").squeeze(1).T
