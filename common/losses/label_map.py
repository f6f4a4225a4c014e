"""Losses for label maps, of which some voxels or whole volumes may not be annotated.

Shapes: B batch, S structures with background, D H W space, d h w a grid as fine or coarser.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..records import IGNORE
from .classification import at_least_single
from .enlarged import enlarged_cross_entropy


class LabelMapLoss(nn.Module):
    """Cross-entropy of one structure per voxel, Dice, or both, over what is annotated.

    Cross-entropy is the mean over all annotated voxels of the batch. Dice is MONAI's, of all structures but the
    background, over the annotated voxels of the batch taken together, as in `DiceBCE`. Logits on a coarser grid are
    enlarged trilinearly; the cross-entropy does it a few slices at a time (`enlarged_cross_entropy`), Dice at once.

    Args:
        cross_entropy_weight: the paper uses it alone.
        dice_weight: 0 leaves Dice out; in the paper Dice, and Dice with cross-entropy, do similarly.

    Raises:
        ValueError: a negative weight, or both 0.

    Source: the CT method's segmentation loss, https://proceedings.mlr.press/v301/li26d.html; methods, section 5.

    Example:
        >>> logits, masks = torch.zeros(1, 4, 2, 2, 2), torch.zeros(1, 1, 2, 2, 2)
        >>> round(LabelMapLoss()(logits, masks)["loss"].item(), 4)  # log 4: no preference among four
        1.3863
    """

    def __init__(self, cross_entropy_weight: float = 1.0, dice_weight: float = 0.0):
        super().__init__()
        if min(cross_entropy_weight, dice_weight) < 0 or cross_entropy_weight + dice_weight == 0:
            raise ValueError(
                f"cross_entropy_weight {cross_entropy_weight} and dice_weight {dice_weight} must not be negative nor "
                "both 0; to train without segmentation leave the loss out (segmentation: null)."
            )
        self.weights = {"cross_entropy": cross_entropy_weight, "dice_loss": dice_weight}
        self.dice: Any = None
        if dice_weight:
            from monai.losses import DiceLoss  # MONAI takes seconds to import

            self.dice = DiceLoss(include_background=False, batch=True)

    def forward(self, logits_BSdhw: Tensor, labels_B1DHW: Tensor) -> dict[str, Tensor]:
        """Losses by name; `loss` is the one to differentiate.

        Args:
            logits_BSdhw: of the S structures, for each voxel of the masks or on a grid whose cells are whole voxels.
            labels_B1DHW: integers, 0 background to S - 1; 255 not annotated. A volume without a mask is 255 all over.

        Returns:
            `loss`, the parts that have a weight, and `with_mask`: the share of the volumes that have any annotation.
            Where none has, losses are 0 with a gradient of 0.

        Raises:
            ValueError: shapes that do not fit, or a label that no output stands for.
        """
        self._check(logits_BSdhw, labels_B1DHW)
        labels_BDHW = labels_B1DHW[:, 0]
        annotated_BDHW = labels_BDHW != IGNORE
        parts: dict[str, Tensor] = {}
        if self.weights["cross_entropy"]:
            parts["cross_entropy"] = _total(logits_BSdhw, labels_BDHW) / annotated_BDHW.sum().clamp_min(1)
        if self.dice is not None:
            logits_BSDHW = _enlarged(at_least_single(logits_BSdhw), labels_BDHW)
            annotated_B1DHW = annotated_BDHW.unsqueeze(1)
            index_B1DHW = labels_B1DHW.long() * annotated_B1DHW
            truth_BSDHW = torch.zeros_like(logits_BSDHW).scatter_(1, index_B1DHW, 1.0)
            parts["dice_loss"] = self.dice(logits_BSDHW.softmax(1) * annotated_B1DHW, truth_BSDHW * annotated_B1DHW)
        loss = torch.stack([self.weights[name] * part for name, part in parts.items()]).sum()
        with_mask = annotated_BDHW.flatten(1).any(1).to(loss).mean()
        return {"loss": loss, **parts, "with_mask": with_mask}

    def _check(self, logits_BSdhw: Tensor, labels_B1DHW: Tensor) -> None:
        grid, space = logits_BSdhw.shape[2:], labels_B1DHW.shape[2:]
        expected = (logits_BSdhw.shape[0], 1, *grid)
        fits = labels_B1DHW.shape[:2] == expected[:2] and len(space) == len(grid)
        if not fits or any(voxels % cells for voxels, cells in zip(space, grid, strict=True)):
            raise ValueError(
                f"Masks are {tuple(labels_B1DHW.shape)}; expected {expected} or multiples of its last three, "
                "integers on the volume's grid."
            )
        structures = logits_BSdhw.shape[1]
        # on a GPU an index out of range would end the process with a message about neither
        if bool(((labels_B1DHW >= structures) & (labels_B1DHW != IGNORE)).any() | (labels_B1DHW < 0).any()):
            values = sorted(set(labels_B1DHW.unique().tolist()) - {*range(structures), IGNORE})
            raise ValueError(
                f"Masks hold {values}, and the network has outputs for 0 to {structures - 1} (255 is not annotated): "
                "`structures` must name every structure of the masks."
            )


def _total(logits_BSdhw: Tensor, labels_BDHW: Tensor) -> Tensor:
    """Sum of the cross-entropy over annotated voxels; in half precision it would overflow or round."""
    if logits_BSdhw.shape[2:] != labels_BDHW.shape[1:]:
        return enlarged_cross_entropy(logits_BSdhw, labels_BDHW, IGNORE)
    return F.cross_entropy(at_least_single(logits_BSdhw), labels_BDHW.long(), ignore_index=IGNORE, reduction="sum")


def _enlarged(logits_BSdhw: Tensor, labels_BDHW: Tensor) -> Tensor:
    size = labels_BDHW.shape[1:]
    if logits_BSdhw.shape[2:] == size:
        return logits_BSdhw
    return F.interpolate(logits_BSdhw, size, mode="trilinear", align_corners=False)
