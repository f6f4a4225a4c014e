"""Predicting how large a patch of an image is and where it lies.

Shapes: B patches; three targets: scale, x, y.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FORMS = ("bce", "bins")


class LocationScale(nn.Module):
    """Loss of predicted scale and location, each in [0, 1].

    `bce` takes one logit per number and its cross-entropy with the fractional target, so its minimum is the entropy of
    the targets and not 0. `bins` cuts [0, 1] into equal bins numbered from their upper edges, 0.2, 0.4, ... for five,
    and takes the mean of three cross-entropies over classes; a target of 0 falls into the first bin (methods C7).

    Args:
        form: "bce" or "bins".
        bins: numbers of bins of scale, x and y, for the form "bins".

    Attributes:
        outputs: number of logits that a head must give.

    Raises:
        ValueError: an unknown form, or not three numbers of bins.

    Source: SRHRS, https://papers.miccai.org/miccai-2025/0067-Paper0179.html, location and scale prediction;
    methods section 4.

    Example:
        >>> loss = LocationScale("bins", bins=(5, 10, 10))
        >>> loss.outputs
        25
        >>> round(loss(torch.zeros(1, 25), torch.tensor([[0.4, 0.5, 0.5]])).item(), 4)  # (log 5 + 2 log 10) / 3
        2.0715
    """

    def __init__(self, form: str = "bce", bins: tuple[int, int, int] = (5, 10, 10)):
        super().__init__()
        if form not in FORMS:
            raise ValueError(f"location_scale#form is {form!r}; expected one of {', '.join(FORMS)}.")
        if len(bins) != 3 or min(bins) < 2:
            raise ValueError(f"location_scale#bins is {tuple(bins)}; expected three numbers of 2 or more.")
        self.form, self.bins = form, tuple(bins)
        self.outputs = 3 if form == "bce" else sum(bins)

    def forward(self, logits_BO: Tensor, targets_B3: Tensor) -> Tensor:
        """Mean over patches and over scale, x, y.

        Args:
            logits_BO: O = `outputs` numbers per patch.
            targets_B3: scale, x and y in [0, 1].

        Returns:
            scalar.
        """
        logits, targets = logits_BO.float(), targets_B3.float()
        if self.form == "bce":
            return F.binary_cross_entropy_with_logits(logits, targets)
        parts = []
        for part_BK, target_B in zip(logits.split(self.bins, dim=1), targets.unbind(1), strict=True):
            index_B = (target_B * part_BK.shape[1]).round().long() - 1
            parts.append(F.cross_entropy(part_BK, index_B.clamp(min=0)))
        return torch.stack(parts).mean()
