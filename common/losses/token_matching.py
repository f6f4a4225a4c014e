"""Matching of dense tokens against targets that say which token lies where.

Shapes: B images, T teacher tokens, S student tokens, E channels of a token.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORMALISATIONS = ("sigmoid", "softmax")


class MatchingLoss(nn.Module):
    """Ask every teacher token to be similar to the student tokens of the same place, and to no others.

    Similarities are scaled dot products, computed for a batch at once; memory grows linearly with it.

    * `sigmoid`: every pair is a yes / no question; binary cross-entropy with weights
      balance * target + (1 - balance) * (1 - target), mean over all pairs (released ACE).
    * `softmax`: every teacher token that has a match asks "which student token?"; its targets are divided
      by their sum, and the mean is over those tokens, so the loss does not depend on their number (paper). Where no
      token has a match it is 0, with a gradient of 0.

    Args:
        temperature: divides dot products; > 0.
        balance: weight of matching against non-matching pairs in [0, 1], used by `sigmoid` only: 0.9 for
            composition, 0.99 for decomposition in the release.
        normalisation: "sigmoid" or "softmax".

    Raises:
        ValueError: an argument outside its range.

    Source: ACE, https://arxiv.org/abs/2501.10131, supplement and released code, local loss (methods A3-A7).

    Example:
        >>> tokens = torch.eye(3)[None]
        >>> loss = MatchingLoss(temperature=0.1, normalisation="softmax")
        >>> round(loss(tokens, tokens, tokens).item(), 5)  # log(1 + 2 e^-10)
        9e-05
    """

    def __init__(self, temperature: float = 0.07, balance: float = 0.9, normalisation: str = "sigmoid"):
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature is {temperature}; expected a number above 0, such as 0.07.")
        if not 0 <= balance <= 1:
            raise ValueError(f"balance is {balance}; expected a number in [0, 1], such as 0.9.")
        if normalisation not in NORMALISATIONS:
            raise ValueError(f"normalisation is {normalisation!r}; expected one of {NORMALISATIONS}.")
        self.temperature = temperature
        self.balance = balance
        self.normalisation = normalisation

    def forward(self, teacher_BTE: Tensor, student_BSE: Tensor, targets_BTS: Tensor) -> Tensor:
        """Compare all pairs of tokens of the same image.

        Args:
            teacher_BTE: teacher's tokens, usually unit vectors; no gradient flows into them.
            student_BSE: student's composed or decomposed tokens.
            targets_BTS: in [0, 1]; a row of zeros marks a teacher token without a match.

        Returns:
            scalar.
        """
        with torch.autocast(student_BSE.device.type, enabled=False):  # bfloat16 would round logits of 14 to 1 / 16
            teacher_BTE, student_BSE = teacher_BTE.detach().float(), student_BSE.float()
            similarity_BTS = torch.bmm(teacher_BTE / self.temperature, student_BSE.transpose(1, 2))
        if self.normalisation == "softmax":
            return self._softmax(similarity_BTS, targets_BTS)
        weights_BTS = self.balance * targets_BTS + (1 - self.balance) * (1 - targets_BTS)
        return F.binary_cross_entropy_with_logits(similarity_BTS, targets_BTS, weight=weights_BTS)

    def _softmax(self, similarity_BTS: Tensor, targets_BTS: Tensor) -> Tensor:
        mass_BT = targets_BTS.sum(2)
        cross_entropy_BT = -(targets_BTS * F.log_softmax(similarity_BTS, dim=2)).sum(2)
        matched_BT = mass_BT > 0
        per_token_BT = cross_entropy_BT / mass_BT.where(matched_BT, 1.0)
        return per_token_BT.sum() / matched_BT.sum().clamp_min(1)
