"""Mean squared error of embeddings, by default of their directions.

Shapes: B images, P parts of each where there are several, K length of an embedding; `...` is B or B, P.
"""

import torch.nn.functional as F
from torch import Tensor, nn


class EmbeddingMSE(nn.Module):
    """Mean squared error between predicted and target embeddings after both have unit length.

    For unit vectors of K numbers it equals (2 - 2 cos) / K, averaged over images and parts. The division by K makes it
    small beside other losses; Adam's update does not depend on the scale of gradients that are well above its eps
    (methods D3).

    Args:
        normalise: False compares raw vectors, as the words of LeADER's supplement can be read (methods D2).
        per_dimension: False leaves out the division by K.
        joint: True gives the prediction of all parts together unit length while every target part has its own, as
            released Adam v2 does: a target out of reach, since P unit vectors have length sqrt(P) (methods 8.6).
            False normalises each part.

    Raises:
        ValueError: a joint length, and none at all.

    Source: Adam v2, https://arxiv.org/abs/2404.15672, and LeADER, https://openreview.net/forum?id=3KsEpxv0gT, released
    code (methods sections 1 and 2).

    Example:
        >>> import torch
        >>> loss = EmbeddingMSE()
        >>> round(loss(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]])).item(), 4)  # (2 - 2 cos 90) / 2
        1.0
    """

    def __init__(self, normalise: bool = True, per_dimension: bool = True, joint: bool = False):
        super().__init__()
        if joint and not normalise:
            raise ValueError("joint is true, but normalise is false: there is no length to share. Give one of them.")
        self.normalise, self.per_dimension, self.joint = normalise, per_dimension, joint

    def forward(self, predicted_K: Tensor, target_K: Tensor, weights: Tensor | None = None) -> Tensor:
        """Mean over images and parts.

        Args:
            predicted_K: (..., K), the student's.
            target_K: (..., K), the teacher's or the expert's; no gradient flows into them.
            weights: (...), factor on each vector's loss; the sum is still divided by the number of vectors.

        Returns:
            scalar, float32.

        Raises:
            ValueError: the shapes differ, which broadcasting would hide.
        """
        if predicted_K.shape != target_K.shape:
            raise ValueError(
                f"predicted embeddings {tuple(predicted_K.shape)} and targets {tuple(target_K.shape)} differ in shape; "
                "give both (images, length) or (images, parts, length): a head's out_dim is the target's embed_dim."
            )
        predicted_K, target_K = predicted_K.float(), target_K.detach().float()
        if self.normalise:
            dims = (-2, -1) if self.joint else -1
            predicted_K = F.normalize(predicted_K, dim=dims)  # type: ignore[arg-type]  # takes a tuple too
            target_K = F.normalize(target_K, dim=-1)
        squares_K = F.mse_loss(predicted_K, target_K, reduction="none")
        loss = squares_K.mean(-1) if self.per_dimension else squares_K.sum(-1)
        return (loss if weights is None else loss * weights).mean()
