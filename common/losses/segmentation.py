"""Losses for segmentation that leave out pixels nobody annotated.

Shapes: B batch, K structures, H W space.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..records import IGNORE


class DiceBCE(nn.Module):
    """Soft Dice over the whole batch plus binary cross-entropy, on logits.

    Soft Dice of a structure: 1 - (2 I + s) / (P + Y + s), with I, P, Y the sums over all annotated pixels of the batch
    of probability times truth, probability, and truth (methods, section 7); then the mean over structures. The sum over
    the batch rather than per image keeps an image without the structure from weighing as much as one with it.

    Args:
        dice_weight: weight of the soft Dice; the released U-Nets use it alone.
        bce_weight: weight of the cross-entropy, a mean over annotated pixels; 0 leaves it out.
        smooth: s > 0, in pixels; 1 in the released code. It makes empty against empty a loss of 0.

    Example:
        >>> masks = torch.ones(1, 1, 4, 4)
        >>> losses = DiceBCE()(torch.zeros(1, 1, 4, 4), masks)
        >>> {name: round(value.item(), 4) for name, value in losses.items()}  # Dice (16 + 1) / (8 + 16 + 1); log 2
        {'loss': 1.0131, 'dice_loss': 0.32, 'bce': 0.6931}
    """

    def __init__(self, dice_weight: float = 1.0, bce_weight: float = 1.0, smooth: float = 1.0):
        super().__init__()
        if min(dice_weight, bce_weight) < 0 or dice_weight + bce_weight == 0 or smooth <= 0:
            raise ValueError(
                f"loss_function: dice_weight {dice_weight} and bce_weight {bce_weight} must not be negative nor both "
                f"0, and smooth {smooth} must be above 0."
            )
        self.dice_weight = dice_weight
        self.bce_weight = bce_weight
        self.smooth = smooth

    def forward(self, logits_BKHW: Tensor, masks_BKHW: Tensor) -> dict[str, Tensor]:
        """Losses by name for masks with 1 inside, 0 outside, 255 not annotated; `loss` is the one to differentiate."""
        if logits_BKHW.shape != masks_BKHW.shape:
            raise ValueError(
                f"Logits {tuple(logits_BKHW.shape)} and masks {tuple(masks_BKHW.shape)} differ in shape: the network "
                "needs one output channel for each of `structures`, at the size of the image."
            )
        logits_BKHW = logits_BKHW.float()  # sums over a batch of pixels overflow or round in half precision
        annotated_BKHW = (masks_BKHW != IGNORE).float()
        truth_BKHW = (masks_BKHW == 1).float()
        parts: dict[str, Tensor] = {}
        if self.dice_weight:
            parts["dice_loss"] = self._soft_dice(logits_BKHW.sigmoid() * annotated_BKHW, truth_BKHW)
        if self.bce_weight:
            entropy = F.binary_cross_entropy_with_logits(
                logits_BKHW, truth_BKHW, weight=annotated_BKHW, reduction="sum"
            )
            parts["bce"] = entropy / annotated_BKHW.sum().clamp_min(1)
        weights = {"dice_loss": self.dice_weight, "bce": self.bce_weight}
        return {"loss": torch.stack([weights[name] * part for name, part in parts.items()]).sum(), **parts}

    def _soft_dice(self, probability_BKHW: Tensor, truth_BKHW: Tensor) -> Tensor:
        both_K, predicted_K, true_K = (
            part.sum(dim=(0, 2, 3)) for part in (probability_BKHW * truth_BKHW, probability_BKHW, truth_BKHW)
        )
        return (1 - (2 * both_K + self.smooth) / (predicted_K + true_K + self.smooth)).mean()
