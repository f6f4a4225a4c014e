"""Contrast of a query with the one key that belongs to it among others, and agreement without others.

Shapes: B queries, N keys, E channels, P parts of one image; `...` any leading shape that queries and keys share.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class InBatchInfoNCE(nn.Module):
    """Cross-entropy of picking a query's own key among all keys that are given, by cosine.

    Queries (B, E) with keys (N, E) contrast the images of a batch; queries (B, P, E) with keys (B, P, E) contrast
    the parts of each image with one another and with nothing else (methods C15).

    Args:
        temperature: divides the cosines; > 0. At 1 the loss is nearly flat: cosines lie in [-1, 1], so with 32 keys
            it cannot fall below log(1 + 31 e^-2), about 1.65 (methods C10).
        global_batch: images of a step in all processes together, where keys are those of other images; given here, a
            batch of one is an error before training. None where keys are parts of an image.
        norm_batch: images that a batch norm of the projector sees at once, likewise (`engines.norm_batch`).

    Raises:
        ValueError: a temperature that is not positive, or a batch with nothing to contrast.

    Source: SRHRS, https://papers.miccai.org/miccai-2025/0067-Paper0179.html, consistency loss and decomposition loss;
    methods section 4. InfoNCE: https://arxiv.org/abs/1807.03748.

    Example:
        >>> keys = torch.eye(4)
        >>> round(InBatchInfoNCE(temperature=0.2)(keys, keys, keys).item(), 4)  # log(1 + 3 e^-5)
        0.02
    """

    def __init__(self, temperature: float = 1.0, global_batch: int | None = None, norm_batch: int | None = None):
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature is {temperature}; expected a number above 0, such as 0.2 or 1.")
        if global_batch is not None and global_batch < 2:
            raise ValueError(
                f"batch_size x processes is {global_batch}: an image has no other to be told from, nor batch norm "
                "anything to normalise by. Set batch_size to 2 or more (published: 32)."
            )
        if norm_batch is not None and norm_batch < 2:
            raise ValueError(
                f"batch norm sees {norm_batch} image at a time: on CPU processes do not share its statistics, so "
                "batch_size counts alone. Set batch_size to 2 or more (published: 32), or train on GPUs."
            )
        self.temperature = temperature

    def forward(self, query_BE: Tensor, own_BE: Tensor, keys_NE: Tensor) -> Tensor:
        """Mean over the queries.

        Args:
            query_BE: (..., B, E), any length.
            own_BE: (..., B, E), the key that belongs to each query; no gradient flows into it.
            keys_NE: (..., N, E), all keys, own ones included; no gradient flows into them. With several processes
                these are the gathered keys of all of them.

        Returns:
            scalar.
        """
        query = F.normalize(query_BE.float(), dim=-1)
        own = F.normalize(own_BE.detach().float(), dim=-1)
        keys = F.normalize(keys_NE.detach().float(), dim=-1)
        with torch.autocast(query.device.type, enabled=False):  # bfloat16 would round cosines to 3 digits
            logits = query @ keys.transpose(-1, -2) / self.temperature
            own_logit = (query * own).sum(-1) / self.temperature
            return (logits.logsumexp(-1) - own_logit).mean()


class CosineRegression(nn.Module):
    """Squared distance of unit vectors, 2 - 2 cos: a prediction and the target it should become.

    Source: BYOL, https://arxiv.org/abs/2006.07733, the baseline of SRHRS.

    Example:
        >>> CosineRegression()(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]])).item()  # at right angles
        2.0
    """

    def forward(self, prediction_BE: Tensor, target_BE: Tensor) -> Tensor:
        """Mean over the batch; no gradient flows into the targets."""
        cosine_B = F.cosine_similarity(prediction_BE.float(), target_BE.detach().float(), dim=-1)
        return (2 - 2 * cosine_B).mean()
