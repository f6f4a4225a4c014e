"""The loss of a one-stage detector.

Shapes: B batch, A anchors, K findings, N boxes of an image.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn


class DetectionLoss(nn.Module):
    """Focal loss on every anchor's logits, and generalised IoU between a box and the anchors that are to give it.

    ATSS (https://arxiv.org/abs/1912.02424) chooses those anchors: of the nearest ones on each level, those whose IoU
    with the box is a standard deviation above their mean. An image without boxes trains the logits alone. Both parts
    are divided by the image's number of chosen anchors (by 1 where there is none) and averaged over images, so that an
    image counts the same in any batch and in any process.

    Args:
        anchors: (A, 4) top, left, bottom, right in pixels.
        anchors_per_level: how many of them each level has.
        candidates: nearest anchors of each level to choose from, 9 in ATSS.
        gamma: of the focal loss (https://arxiv.org/abs/1708.02002), 2 there.
        alpha: its weight of positives, 0.25 there.
        box_weight: of the IoU; 2 in ATSS's code.

    Example:
        >>> from common.networks.detection import square_anchors
        >>> levels = square_anchors(16, [4, 8], scale=2)
        >>> loss = DetectionLoss(torch.cat(levels), [16, 4], candidates=4)
        >>> boxes_4A = torch.cat(levels).T
        >>> label_BN5 = torch.tensor([[[1.0, 1.0, 8.0, 9.0, 0.0]]])
        >>> logits_1A = 18 * (loss.chosen(label_BN5[0, :, :4]) == 0)[None] - 9.0  # certain, and right
        >>> losses = loss(torch.cat([boxes_4A, logits_1A])[None], label_BN5)
        >>> round(losses["classification"].item(), 3), losses["boxes"].item() > 0  # anchors are not the box itself
        (0.0, True)
    """

    anchors: Tensor

    def __init__(
        self,
        anchors: Tensor,
        anchors_per_level: Sequence[int],
        candidates: int = 9,
        gamma: float = 2.0,
        alpha: float = 0.25,
        box_weight: float = 2.0,
    ):
        from monai.apps.detection.utils.ATSS_matcher import ATSSMatcher  # MONAI takes seconds to import
        from monai.losses.focal_loss import sigmoid_focal_loss
        from monai.losses.giou_loss import BoxGIoULoss

        super().__init__()
        self.anchors_per_level = list(anchors_per_level)
        self.focal = partial(sigmoid_focal_loss, gamma=gamma, alpha=alpha)
        self.distance = BoxGIoULoss(reduction="sum")
        self.box_weight = box_weight
        # An anchor's centre need not lie in the box: of a box smaller than a cell none does.
        self.matcher = ATSSMatcher(candidates, center_in_gt=False)
        self.register_buffer("anchors", anchors, persistent=False)

    def forward(self, pred_BCA: Tensor, label_BN5: Tensor) -> dict[str, Tensor]:
        """Losses by name; `loss` is the one to differentiate.

        Args:
            pred_BCA: boxes and logits (B, 4 + K, A) of a `DetectionNetwork`.
            label_BN5: top, left, bottom, right in pixels and number of the finding; a row with a negative one is none.
        """
        parts = [self._of_image(*pair) for pair in zip(pred_BCA, label_BN5, strict=True)]
        classification, boxes = (torch.stack(part).mean() for part in zip(*parts, strict=True))
        return {
            "loss": classification + self.box_weight * boxes,
            "classification": classification,
            "boxes": boxes,
        }

    def _of_image(self, pred_CA: Tensor, label_N5: Tensor) -> tuple[Tensor, Tensor]:
        boxes_A4, logits_AK = pred_CA[:4].T, pred_CA[4:].T
        label_N5 = label_N5[label_N5[:, 4] >= 0].float()
        chosen_A = self.chosen(label_N5[:, :4])
        positive_P = (chosen_A >= 0).nonzero()[:, 0]
        truth_P5 = label_N5[chosen_A[positive_P]]
        target_AK = torch.zeros_like(logits_AK)
        target_AK[positive_P, truth_P5[:, 4].long()] = 1
        scale = max(1, len(positive_P))
        distance = self.distance(boxes_A4[positive_P], truth_P5[:, :4])
        return self.focal(logits_AK, target_AK).sum() / scale, distance / scale

    @torch.no_grad()
    def chosen(self, boxes_N4: Tensor) -> Tensor:
        """Number of the box that each anchor (A,) is to give, -1 where it is to give none."""
        anchors_A4 = self.anchors.to(boxes_N4.device)
        if not len(boxes_N4):
            return torch.full([len(anchors_A4)], -1, device=boxes_N4.device)
        return self.matcher(boxes_N4, anchors_A4, self.anchors_per_level, 1)[1]
