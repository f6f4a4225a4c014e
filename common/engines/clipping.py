"""Gradient clipping, over all parameters together or each tensor by itself."""

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor


class ClipGradients:
    """Scales gradients down to a largest norm.

    DINO and the methods that descend from it clip each parameter tensor to the norm by itself (ACE, discrepancy
    A27); most others clip the norm of all gradients together.

    Args:
        max_norm: largest Euclidean norm, above 0.
        mode: `per_tensor` or `global`.

    Raises:
        ValueError: another mode, or a norm that is not positive.

    Example:
        >>> weight = torch.nn.Parameter(torch.zeros(2))
        >>> weight.grad = torch.tensor([3.0, 4.0])
        >>> norm = ClipGradients(max_norm=1.0)([weight])
        >>> norm.item(), [round(value, 3) for value in weight.grad.tolist()]
        (5.0, [0.6, 0.8])
    """

    def __init__(self, max_norm: float, mode: Literal["per_tensor", "global"] = "global"):
        if mode not in ("per_tensor", "global"):
            raise ValueError(f"clip#mode is {mode!r}; it must be 'per_tensor' or 'global'")
        if not max_norm > 0:
            raise ValueError(f"clip#max_norm is {max_norm}; it must be above 0 (leave `clip` out for no clipping)")
        self.max_norm, self.mode = float(max_norm), mode

    @torch.no_grad()
    def __call__(self, parameters: Iterable[Tensor]) -> Tensor:
        """Clip in place; parameters without gradient are passed over.

        Returns:
            the norms (N,) by which was clipped, as they were before: of each gradient, or the one of all. Where a
            gradient is not finite a norm is not; nobody waits for them here.
        """
        gradients = [p.grad for p in parameters if p.grad is not None]
        norms = norms_of(gradients)
        if not gradients:
            return norms
        if self.mode == "global":
            norms = torch.linalg.vector_norm(norms).expand(1)
        # the small number is torch.nn.utils.clip_grad_norm_'s, so that both agree to the last bit; unlike there, each
        # tensor can be clipped by itself, and a gradient that is not a number does not spread to the others, so that
        # it can be named
        factors_N = (self.max_norm / (norms + 1e-6)).clamp(max=1.0).nan_to_num(1.0).expand(len(gradients))
        torch._foreach_mul_(gradients, [f.to(g.device) for f, g in zip(factors_N, gradients, strict=True)])
        return norms


def norms_of(tensors: list[Tensor]) -> Tensor:
    """Euclidean norm (N,) of each of N tensors, on the first one's device."""
    norms = torch._foreach_norm(tensors) if tensors else []
    return torch.stack([norm.to(norms[0].device) for norm in norms]) if norms else torch.zeros(0)


def global_norm(gradients: list[Tensor]) -> Tensor:
    """Euclidean norm of tensors taken together, as one scalar on the first one's device.

    Args:
        gradients: one or more.
    """
    return torch.linalg.vector_norm(norms_of(gradients))
