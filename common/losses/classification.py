"""Losses for image labels of which some may be unknown.

Shapes: B batch, K classes.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class LabelLoss(nn.Module):
    """Binary cross-entropy of each finding, or cross-entropy of exclusive classes; unknown labels are left out.

    Args:
        exclusive: False for findings that occur together or alone (sigmoid), also for a single one; True for classes
            of which each image has exactly one (softmax; labels are one-hot).
    """

    def __init__(self, exclusive: bool = False):
        super().__init__()
        self.exclusive = exclusive

    def forward(self, logits_BK: Tensor, labels_BK: Tensor) -> Tensor:
        """Mean loss over known labels (nan is unknown); 0 with the network's gradient where none is known."""
        if logits_BK.shape != labels_BK.shape:
            raise ValueError(
                f"Logits {tuple(logits_BK.shape)} and labels {tuple(labels_BK.shape)} differ in shape: the network "
                "needs one output for each of `findings`."
            )
        logits_BK, labels_BK = logits_BK.float(), labels_BK.float()
        known_BK = labels_BK.isfinite()
        labels_BK = labels_BK.nan_to_num(0)
        if self.exclusive:
            known_B = known_BK.all(dim=1).float()
            loss_B = -(labels_BK * logits_BK.log_softmax(dim=1)).sum(dim=1)
            return (loss_B * known_B).sum() / known_B.sum().clamp_min(1)
        loss_BK = F.binary_cross_entropy_with_logits(logits_BK, labels_BK, reduction="none")
        return (loss_BK * known_BK).sum() / known_BK.sum().clamp_min(1)
