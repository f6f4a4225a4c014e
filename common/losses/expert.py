"""Distance of a student's prediction from a frozen expert's embedding.

Shapes: B images, K length of the expert's embedding.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ExpertLoss(nn.Module):
    """Mean squared error between a prediction and an expert's embedding, both of unit length.

    mean over B * K of (N(d) - N(t))^2 = mean over B of (2 - 2 cos(d, t)) / K. The division by K makes gradients small;
    Adam's update does not depend on their scale as long as they are well above its eps (methods D3).

    Args:
        normalise: False compares raw vectors, as the supplement's words can be read (methods D2).
        per_dimension: False leaves out the division by K.

    Source: LeADER, released code, methods section 1.

    Example:
        >>> round(ExpertLoss()(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]])).item(), 4)  # (2 - 2 cos 90) / 2
        1.0
    """

    def __init__(self, normalise: bool = True, per_dimension: bool = True):
        super().__init__()
        self.normalise, self.per_dimension = normalise, per_dimension

    def forward(self, predicted_BK: Tensor, expert_BK: Tensor, weights_B: Tensor | None = None) -> Tensor:
        """Mean over the batch; no gradient flows into the expert's side.

        Args:
            predicted_BK: the student's head.
            expert_BK: the expert's embeddings.
            weights_B: factor on each image's loss; the sum is still divided by B.

        Returns:
            scalar, float32.

        Raises:
            ValueError: prediction and embedding differ in shape.
        """
        if predicted_BK.shape != expert_BK.shape:
            raise ValueError(
                f"the prediction is {tuple(predicted_BK.shape)} and the expert's embedding {tuple(expert_BK.shape)}; "
                "set the head's out_dim to the expert's embed_dim."
            )
        predicted_BK, expert_BK = predicted_BK.float(), expert_BK.detach().float()
        if self.normalise:
            predicted_BK, expert_BK = F.normalize(predicted_BK, dim=1), F.normalize(expert_BK, dim=1)
        squares_BK = torch.square(predicted_BK - expert_BK)
        loss_B = squares_BK.mean(1) if self.per_dimension else squares_BK.sum(1)
        return (loss_B if weights_B is None else loss_B * weights_B).mean()
