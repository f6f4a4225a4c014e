"""Losses for image labels of which some may be unknown.

Shapes: B batch, K classes.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LabelLoss(nn.Module):
    """Binary cross-entropy of each finding, or cross-entropy of exclusive classes; unknown labels are left out.

    Args:
        exclusive: False for findings that occur together or alone (sigmoid), also for a single one; True for classes
            of which each image has exactly one (softmax; labels are one-hot).
        weights: one factor, 0 or more, for the loss of each of the K findings or classes; None weighs all alike. The
            mean stays one over labels, not over weights (methods E10).

    Raises:
        ValueError: negative weights.

    Example:
        >>> logits, labels = torch.zeros(2, 3), torch.tensor([[1.0, 0.0, float("nan")], [0.0, 1.0, 1.0]])
        >>> round(LabelLoss()(logits, labels).item(), 4)  # log 2 for each of the five known labels
        0.6931
    """

    weights: Tensor | None

    def __init__(self, exclusive: bool = False, weights: Sequence[float] | None = None):
        super().__init__()
        if weights is not None and (len(weights) == 0 or min(weights) < 0):
            raise ValueError(f"The loss's weights are {list(weights)}; expected a number of 0 or more for each label.")
        self.exclusive = exclusive
        self.register_buffer("weights", None if weights is None else torch.tensor(weights), persistent=False)

    def forward(self, logits_BK: Tensor, labels_BK: Tensor) -> Tensor:
        """Mean loss over known labels (nan is unknown); 0 with the network's gradient where none is known."""
        if logits_BK.shape != labels_BK.shape:
            raise ValueError(
                f"Logits {tuple(logits_BK.shape)} and labels {tuple(labels_BK.shape)} differ in shape: the network "
                "needs one output for each of `findings`."
            )
        if self.weights is not None and len(self.weights) != logits_BK.shape[1]:
            raise ValueError(
                f"The loss has {len(self.weights)} weights for {logits_BK.shape[1]} labels; give one each."
            )
        logits_BK = at_least_single(logits_BK)
        labels_BK = labels_BK.to(logits_BK.dtype)
        known_BK = labels_BK.isfinite()
        labels_BK = labels_BK.where(known_BK, 0)
        weights_K: Tensor | float = 1.0 if self.weights is None else self.weights.to(logits_BK)
        if self.exclusive:
            known_B = known_BK.all(dim=1)
            loss_B = -(weights_K * labels_BK * logits_BK.log_softmax(dim=1)).sum(dim=1)
            return (loss_B * known_B).sum() / known_B.sum().clamp_min(1)
        loss_BK = weights_K * F.binary_cross_entropy_with_logits(logits_BK, labels_BK, reduction="none")
        return (loss_BK * known_BK).sum() / known_BK.sum().clamp_min(1)


def at_least_single(values: Tensor) -> Tensor:
    """Half precision as single; sums over a batch would round. Double stays double."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
