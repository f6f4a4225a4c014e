"""Mean squared error of directions.

Shapes: B images, P parts of each, C channels of an embedding.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class UnitMSE(nn.Module):
    """Mean squared error between predicted and target embeddings after both have unit length.

    For unit vectors of C channels it equals (2 - 2 cos) / C, averaged over images and parts. Note the division by C:
    as one of several losses it is small; a weight of C makes it a sum over channels.

    Args:
        joint: True gives the prediction of all parts together unit length while every target part has its own, as
            released Adam v2 does: a target out of reach, since P unit vectors have length sqrt(P) (methods 8.6).
            False normalises each part.

    Source: Adam v2, https://arxiv.org/abs/2404.15672, released code (methods section 2).

    Example:
        >>> import torch
        >>> round(UnitMSE()(torch.tensor([[[5.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]])).item(), 4)  # (2 - 2 cos 90) / 2
        1.0
    """

    def __init__(self, joint: bool = False):
        super().__init__()
        self.joint = joint

    def forward(self, predicted_BPC: Tensor, target_BPC: Tensor) -> Tensor:
        """Compare part by part.

        Args:
            predicted_BPC: the student's embeddings.
            target_BPC: the teacher's; no gradient flows into them.

        Returns:
            scalar.

        Raises:
            ValueError: the shapes differ, which broadcasting would hide.
        """
        if predicted_BPC.shape != target_BPC.shape:
            raise ValueError(
                f"predicted embeddings {tuple(predicted_BPC.shape)} and targets {tuple(target_BPC.shape)} differ in "
                "shape; expected (images, parts, channels) of both."
            )
        dims = (1, 2) if self.joint else 2
        predicted_BPC = F.normalize(predicted_BPC.float(), dim=dims)  # type: ignore[arg-type]  # takes a tuple too
        return F.mse_loss(predicted_BPC, F.normalize(target_BPC.detach().float(), dim=2))
