"""Metrics of whole studies: logits are averaged over the series of a study before anything is scored.

Shapes: N volumes, M studies, K logits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from common.evaluation import ClassificationReport, Outcome
from common.evaluation.classification import THRESHOLD_METRICS
from common.evaluation.report import defined_mean
from common.losses import InjuryOutputs


class StudyReport(ClassificationReport):
    """AUC per finding and mean, and threshold metrics, from logits; for MONAI's evaluator.

    Args:
        classes: names of the K findings.
        thresholds_from: the report of the validation split, run before, whose thresholds are applied here.
        studies: study of each volume, by its source; the logits of a study are averaged and it counts once (methods
            E11). None counts every volume.

    Attributes:
        averages: classes that each mean of the paper's tables takes together, by name.
    """

    def __init__(
        self,
        classes: Sequence[str],
        thresholds_from: "StudyReport | None" = None,
        studies: Mapping[str, str] | None = None,
    ):
        super().__init__(classes, thresholds_from)
        self.studies = studies
        self.averages: dict[str, tuple[str, ...]] = {"mean": tuple(classes)}

    def report(self, sources: list[str], predictions: Tensor, labels: Tensor) -> Outcome:
        """Score logits (N, K) against labels (N, K), nan unknown.

        Raises:
            ValueError: a volume without a study, or two labels of one study.
        """
        logits, labels = predictions.double(), labels.double()
        if self.studies is not None:
            sources, logits, labels = by_study(sources, self.studies, logits, labels)
        return super().report(sources, *self.columns(logits, labels))

    def columns(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities and labels of the classes, from the network's outputs and their labels."""
        return logits.sigmoid(), labels


class InjuryReport(StudyReport):
    """The public trauma data set's columns, from the network's outputs.

    The 14 columns of the paper's table: healthy and injury of each binary injury, three grades of each organ, and any
    injury. The two healthy columns repeat their injuries, so the mean over the network's own 11 outputs is given
    besides, as `auc_own` and the like (methods E14).

    Args:
        binary: injuries that are present or not, in the order of the network's outputs.
        graded: graded organs likewise.
        thresholds_from: see `StudyReport`.
        studies: see `StudyReport`.
    """

    def __init__(
        self,
        binary: Sequence[str],
        graded: Sequence[str],
        thresholds_from: "InjuryReport | None" = None,
        studies: Mapping[str, str] | None = None,
    ):
        self.outputs = InjuryOutputs(tuple(binary), tuple(graded))
        own = self.outputs.names
        pairs = [name for injury in binary for name in (f"{injury}_healthy", f"{injury}_injury")]
        classes = [*pairs, *own[len(binary) :], "any_injury"]
        super().__init__(classes, thresholds_from, studies)
        self.averages = {f"mean of {len(classes)}": tuple(classes), f"mean of {len(own)}": own}

    def columns(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities and labels (M, 14)."""
        logits_MN, logits_MOG = self.outputs.split(logits)
        labels_MN, labels_MOG = self.outputs.split(labels)
        injured, any_injured = logits_MN.sigmoid(), -torch.expm1(self.outputs.log_healthy(logits))
        probabilities = _in_order(injured, logits_MOG.softmax(2), any_injured)
        return probabilities, _in_order(labels_MN, labels_MOG, self.outputs.any_injury(labels))

    def report(self, sources: list[str], predictions: Tensor, labels: Tensor) -> Outcome:
        """As `StudyReport`, with the means over the network's own outputs."""
        outcome = super().report(sources, predictions, labels)
        rows = [row for row in outcome.table if row["class"] in self.outputs.names]
        names = [name for name in ("auc", "average_precision", *THRESHOLD_METRICS) if name in outcome.metrics]
        own = {f"{name}_own": defined_mean([row[name] for row in rows]) for name in names}
        return replace(outcome, metrics=outcome.metrics | own)


def by_study(
    sources: Sequence[str], studies: Mapping[str, str], logits_NK: Tensor, labels_NK: Tensor
) -> tuple[list[str], Tensor, Tensor]:
    """Names of the M studies in the order they appear, their mean logits (M, K) and their labels (M, K).

    Raises:
        ValueError: a volume without a study, or two labels of one study.
    """
    members: dict[str, list[int]] = {}
    for index, source in enumerate(sources):
        if source not in studies:
            raise ValueError(f"report#studies names no study of {source}; it must hold every volume of the split.")
        members.setdefault(studies[source], []).append(index)
    for study, indices in members.items():
        if not torch.equal(
            labels_NK[indices].nan_to_num(-1), labels_NK[indices[:1]].nan_to_num(-1).expand(len(indices), -1)
        ):
            raise ValueError(f"The volumes of study {study} have different labels; correct its `study_id`s.")
    logits_MK = torch.stack([logits_NK[indices].mean(0) for indices in members.values()])
    return list(members), logits_MK, labels_NK[[indices[0] for indices in members.values()]]


def _in_order(injured_MN: Tensor, grades_MOG: Tensor, any_M: Tensor) -> Tensor:
    pairs = torch.stack([1 - injured_MN, injured_MN], dim=2).flatten(1)
    return torch.cat([pairs, grades_MOG.flatten(1), any_M.unsqueeze(1)], dim=1)
