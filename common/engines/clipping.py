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
    """

    def __init__(self, max_norm: float, mode: Literal["per_tensor", "global"] = "global"):
        if mode not in ("per_tensor", "global"):
            raise ValueError(f"clip#mode is {mode!r}; it must be 'per_tensor' or 'global'")
        if not max_norm > 0:
            raise ValueError(f"clip#max_norm is {max_norm}; it must be above 0 (leave `clip` out for no clipping)")
        self.max_norm, self.mode = float(max_norm), mode

    @torch.no_grad()
    def __call__(self, parameters: Iterable[Tensor]) -> None:
        """Clip in place; parameters without gradient are passed over."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not gradients:
            return
        if self.mode == "global":
            norms = [global_norm(gradients)] * len(gradients)
        else:
            norms = list(torch._foreach_norm(gradients))
        # the small number is torch.nn.utils.clip_grad_norm_'s, so that both agree to the last bit
        factors = [(self.max_norm / (norm + 1e-6)).clamp(max=1.0) for norm in norms]
        torch._foreach_mul_(gradients, [f.to(g.device) for f, g in zip(factors, gradients, strict=True)])


def global_norm(gradients: list[Tensor]) -> Tensor:
    """Euclidean norm of tensors taken together, as one scalar on the first one's device.

    Args:
        gradients: one or more.
    """
    norms = torch._foreach_norm(gradients)
    return torch.linalg.vector_norm(torch.stack([norm.to(norms[0].device) for norm in norms]))
