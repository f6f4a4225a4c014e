"""Loss for injuries of organs: some present or not, some graded, and the question whether there is any at all.

Shapes: B batch, K outputs, N binary injuries, O graded organs, G grades.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .classification import at_least_single

GRADES = ("healthy", "low", "high")
# log(1 - e^S) and its gradient exist below 0 only (methods E20).
LARGEST_LOG_HEALTHY = -1e-6


@dataclass(frozen=True)
class InjuryOutputs:
    """Which output means what: one logit for each binary injury, then one per grade for each graded organ.

    Args:
        binary: injuries that are present or not, such as `bowel`.
        graded: organs that are healthy, injured slightly or severely, such as `liver`.

    Example:
        >>> InjuryOutputs(("bowel",), ("liver",)).names
        ('bowel_injury', 'liver_healthy', 'liver_low', 'liver_high')
    """

    binary: tuple[str, ...]
    graded: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the K outputs in order: `bowel_injury`, ..., `liver_healthy`, `liver_low`, `liver_high`, ..."""
        return (
            *(f"{name}_injury" for name in self.binary),
            *(f"{name}_{grade}" for name in self.graded for grade in GRADES),
        )

    def split(self, values_BK: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs or labels as (B, N) and (B, O, G).

        Raises:
            ValueError: another number of columns.
        """
        if values_BK.ndim != 2 or values_BK.shape[1] != len(self.names):
            raise ValueError(
                f"Outputs or labels of injuries are {tuple(values_BK.shape)}; expected (B, {len(self.names)}) for "
                f"{', '.join(self.names)}: set the network's num_logits and `findings` to these."
            )
        binary_BN, graded_BK = values_BK.split([len(self.binary), len(self.graded) * len(GRADES)], dim=1)
        return binary_BN, graded_BK.unflatten(1, (len(self.graded), len(GRADES)))

    def log_healthy(self, logits_BK: Tensor) -> Tensor:
        """S (B), the logarithm of the probability that nothing is injured; at most 0.

        The product over injuries and organs of their own probabilities of health (methods, section 5; [E23]), as a sum
        of logarithms, for the product underflows.
        """
        binary_BN, graded_BOG = self.split(at_least_single(logits_BK))
        return F.logsigmoid(-binary_BN).sum(1) + graded_BOG.log_softmax(2)[..., 0].sum(1)

    def any_injury(self, labels_BK: Tensor) -> Tensor:
        """Whether anything is injured (B): 1 where something is, 0 where all is known to be healthy, nan otherwise."""
        binary_BN, graded_BOG = self.split(labels_BK)
        injured_BX = torch.cat([binary_BN, 1 - graded_BOG[..., 0]], dim=1)
        some_B = (injured_BX == 1).any(1)
        return torch.where(some_B, 1.0, torch.where(injured_BX.isnan().any(1), torch.nan, 0.0)).to(labels_BK)


class InjuryLoss(nn.Module):
    """Cross-entropy of binary and of graded injuries, and of the question whether there is any.

    L = BCE(binary) + CE(graded) + `any_share` BCE(any), each the mean over its known labels of weight times loss; the
    weight follows from the label alone and is not divided by, unlike in `torch.nn.CrossEntropyLoss` (methods E9, E10).
    BCE(any) = -[y log(1 - e^S) + (1 - y) S] with S = log p(all healthy), clamped to at most -1e-6, up to where the
    logarithm and its gradient are finite (E20).

    Args:
        binary: weight of a positive label of each binary injury, by name; a negative one weighs 1. In the paper
            `{bowel: 2, extravasation: 6}`.
        graded: weights of the grades healthy, low and high of each graded organ, by name; in the paper 1, 2, 4.
        any_weight: weight where there is any injury; in the paper 6.
        any_share: factor of the question; in the paper 0.1.

    Raises:
        ValueError: weights that are missing or negative.

    Source: the CT method's second loss, https://proceedings.mlr.press/v301/li26d.html; methods, section 5
    [E9, E10, E20].

    Example:
        >>> loss = InjuryLoss({"bowel": 2.0}, {"liver": (1.0, 2.0, 4.0)})
        >>> healthy = torch.tensor([[0.0, 1.0, 0.0, 0.0]])
        >>> {name: round(value.item(), 3) for name, value in loss(torch.zeros(1, 4), healthy).items()}
        {'loss': 1.971, 'binary': 0.693, 'graded': 1.099, 'any_injury': 1.792}
    """

    binary_weights: Tensor
    grade_weights: Tensor

    def __init__(
        self,
        binary: Mapping[str, float],
        graded: Mapping[str, Sequence[float]],
        any_weight: float = 6.0,
        any_share: float = 0.1,
    ):
        super().__init__()
        for name, weights in graded.items():
            if len(weights) != len(GRADES):
                raise ValueError(
                    f"graded#{name} is {list(weights)}; expected a weight for each of {', '.join(GRADES)}."
                )
        numbers = [*binary.values(), *(w for weights in graded.values() for w in weights), any_weight, any_share]
        if not binary or not graded or min(numbers) < 0:
            raise ValueError(
                f"binary is {dict(binary)}, graded is {dict(graded)}, any_weight is {any_weight} and any_share is "
                f"{any_share}; expected at least one injury of each kind, and weights of 0 or more."
            )
        self.outputs = InjuryOutputs(tuple(binary), tuple(graded))
        self.any_weight, self.any_share = any_weight, any_share
        self.register_buffer("binary_weights", torch.tensor(list(binary.values())), persistent=False)
        self.register_buffer("grade_weights", torch.tensor([list(w) for w in graded.values()]), persistent=False)

    def forward(self, logits_BK: Tensor, labels_BK: Tensor) -> dict[str, Tensor]:
        """Losses by name; `loss` is the one to differentiate.

        Args:
            logits_BK: in the order of `InjuryOutputs.names`.
            labels_BK: 0 or 1, one-hot over the grades of an organ; nan unknown, and left out.
        """
        logits_BK = at_least_single(logits_BK)
        labels_BK = labels_BK.to(logits_BK)
        logits_BN, logits_BOG = self.outputs.split(logits_BK)
        labels_BN, labels_BOG = self.outputs.split(labels_BK)

        bce_BN = F.binary_cross_entropy_with_logits(logits_BN, labels_BN.nan_to_num(0), reduction="none")
        weights_BN = torch.where(labels_BN == 1, self.binary_weights.to(logits_BK), 1.0)
        binary = self._mean(bce_BN, weights_BN, labels_BN.isfinite())

        known_BO = labels_BOG.isfinite().all(2)
        labels_BOG = labels_BOG.nan_to_num(0)
        ce_BO = -(labels_BOG * logits_BOG.log_softmax(2)).sum(2)
        weights_BO = (labels_BOG * self.grade_weights.to(logits_BK)).sum(2)
        graded = self._mean(ce_BO, weights_BO, known_BO)

        any_B = self.outputs.any_injury(labels_BK)
        log_healthy_B = self.outputs.log_healthy(logits_BK).clamp(max=LARGEST_LOG_HEALTHY)
        log_injured_B = torch.log(-torch.expm1(log_healthy_B))
        any_bce_B = -torch.where(any_B == 1, log_injured_B, log_healthy_B)
        any_weights_B = torch.where(any_B == 1, self.any_weight, 1.0).to(logits_BK)
        any_injury = self._mean(any_bce_B, any_weights_B, any_B.isfinite())

        loss = binary + graded + self.any_share * any_injury
        return {"loss": loss, "binary": binary, "graded": graded, "any_injury": any_injury}

    def _mean(self, losses: Tensor, weights: Tensor, known: Tensor) -> Tensor:
        """Mean over known labels of weight times loss; 0, with a gradient of 0, where none is known."""
        return (losses * weights * known).sum() / known.sum().clamp_min(1)
