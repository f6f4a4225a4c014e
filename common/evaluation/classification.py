"""Image classification: area under the ROC curve per class, and what a chosen threshold gives.

Shapes: N images, K classes.
"""

import copy
import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_fscore_support, roc_auc_score, roc_curve
from torch import Tensor

from ..scoring.from_rows import Row, of_classification
from ..scoring.grading import GradingScorer
from ..scoring.scorers import Scorer
from .report import Outcome, Report, defined_mean

Values = NDArray[np.float64]

RANKED = ("auc", "average_precision")
THRESHOLD_METRICS = ("sensitivity", "specificity", "precision", "f1", "f1_weighted")


def auc(scores_N: Values, labels_N: Values) -> float:
    """Area under the ROC curve; nan when the labels hold one value only, for then it is undefined."""
    return float(roc_auc_score(labels_N, scores_N)) if _has_both(labels_N) else float("nan")


def youden_threshold(scores_N: Values, labels_N: Values) -> float:
    """The observed score whose decision `score >= threshold` maximises sensitivity + specificity - 1.

    Of equally good ones the largest is taken. nan when the labels hold one value only.
    """
    if not _has_both(labels_N):
        return float("nan")
    false_positive, true_positive, thresholds = roc_curve(labels_N, scores_N)
    return float(thresholds[1:][np.argmax((true_positive - false_positive)[1:])])


def at_threshold(scores_N: Values, labels_N: Values, threshold: float) -> dict[str, float]:
    """Sensitivity, specificity, precision and F1 of the decision `score >= threshold`.

    `f1` is that of the positives. `f1_weighted` averages it with that of the negatives by their numbers: of a rare
    finding it is mostly the latter, and it alone can exceed both sensitivity and precision, as published values do
    (methods E12).

    A ratio without cases is nan: sensitivity and F1 without positives, specificity without negatives, precision
    where nothing is called positive. All are nan for a threshold of nan.
    """
    if math.isnan(threshold):
        return dict.fromkeys(THRESHOLD_METRICS, float("nan"))
    called, true = scores_N >= threshold, labels_N == 1
    options = {"labels": [False, True], "zero_division": float("nan")}
    (_, precision), (specificity, sensitivity), (_, f1), (_, positives) = precision_recall_fscore_support(
        true, called, **options
    )
    weighted = precision_recall_fscore_support(true, called, average="weighted", **options)[2]
    return {
        "sensitivity": float(sensitivity),
        "specificity": float(specificity),
        "precision": float(precision),
        "f1": float(f1) if positives else float("nan"),
        "f1_weighted": float(weighted),
    }


class ClassificationReport(Report):
    """AUC per class and mean, average precision, and threshold metrics; for MONAI's evaluator.

    Multi-label, multi-class (one against the rest) and binary tasks are told apart only by their labels: columns
    of 0 and 1, nan where unknown; a smoothed label in between is for the loss and counts as unknown. A class whose
    known labels hold one value only has no AUC: it is reported as undefined and not counted in the mean.

    Args:
        classes: names of the K columns.
        thresholds_from: the report of another split, run before, whose thresholds are applied here. Thresholds
            chosen on the images they are applied to flatter the result, so without it none are applied.
        exclusive: each image has exactly one class; adds `accuracy` of the highest probability.
        ordered: the classes are grades, in this order, of which an image has one; adds `quadratic_kappa`, Cohen's kappa
            with squared distances between grades as weights.
        mean_of: classes that the means are over; None takes all. CheXpert's 14 are learned and 5 of them tested.

    Raises:
        ValueError: a name in `mean_of` that is no class, or grades that are not exclusive.

    Example:
        >>> import torch
        >>> report = ClassificationReport(["Effusion", "Mass"])
        >>> probabilities = torch.tensor([[0.9, 0.2], [0.2, 0.3], [0.6, 0.8]])
        >>> report.update((probabilities, torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, torch.nan]])))
        >>> metrics = report.compute()
        >>> metrics["auc"], metrics["auc/Mass"]
        (1.0, 1.0)
    """

    def __init__(
        self,
        classes: Sequence[str],
        thresholds_from: "ClassificationReport | None" = None,
        exclusive: bool = False,
        ordered: bool = False,
        mean_of: Sequence[str] | None = None,
    ):
        if ordered and not exclusive:
            raise ValueError(
                "report#ordered is true, but `exclusive` is false: an image has one grade. Set it to true."
            )
        self.ordered = ordered
        self.classes = list(classes)
        self.mean_of = self.classes if mean_of is None else list(mean_of)
        if strange := [name for name in self.mean_of if name not in self.classes]:
            raise ValueError(f"mean_of names {', '.join(strange)}, which is none of {', '.join(self.classes)}.")
        self.thresholds_from = thresholds_from
        self.exclusive = exclusive
        super().__init__(headline="auc")

    @property
    def thresholds(self) -> dict[str, float]:
        """Youden's threshold of each class on the images of the last run; raises ValueError before one."""
        if self.outcome is None:
            raise ValueError("No thresholds yet: run the evaluator that chooses them (the validation split) first.")
        return {row["class"]: row["youden_threshold"] for row in self.outcome.table}

    def chooser(self) -> Self:
        """A report like this one, for the split that chooses the thresholds which this one applies from now on."""
        self.thresholds_from = None
        self.thresholds_from = copy.deepcopy(self)
        return self.thresholds_from

    def report(self, sources: list[str], predictions: Tensor, labels: Tensor) -> Outcome:
        """Score probabilities (N, K) against labels (N, K)."""
        scores_NK, labels_NK = predictions.double().numpy(), labels.double().numpy()
        self._check(sources, scores_NK, labels_NK)
        table, curves, notices = [], {}, []
        thresholds: dict[str, float] = {}
        if self.thresholds_from is not None and self.thresholds_from.outcome is not None:
            thresholds = self.thresholds_from.thresholds
        elif self.thresholds_from is not None:
            notices.append("No threshold was chosen on another split before: sensitivity and the like are left out.")
        if unchosen := [name for name in self.classes if math.isnan(thresholds.get(name, 0.0))]:
            reason = "their labels in the split that chooses it have one value only"
            notices.append(
                f"{', '.join(unchosen)}: no threshold, {reason}; no mean of sensitivity and the like counts them."
            )
        for k, name in enumerate(self.classes):
            known = np.isin(labels_NK[:, k], (0, 1))
            scores_N, labels_N = scores_NK[known, k], labels_NK[known, k]
            table.append(self._row(name, scores_N, labels_N, thresholds.get(name)))
            if _has_both(labels_N):
                false_positive, true_positive, _ = roc_curve(labels_N, scores_N)
                curves[name] = (false_positive.tolist(), true_positive.tolist())
            else:
                value = f"are all {labels_N[0]:.0f}" if len(labels_N) else "are all unknown"
                notices.append(f"{name}: AUC undefined, the labels of {len(labels_N)} images {value}; not in the mean.")
        images = [
            {
                "source": source,
                **{f"{name}": p for name, p in zip(self.classes, row_p, strict=True)},
                **{f"{name} (label)": y for name, y in zip(self.classes, row_y, strict=True)},
            }
            for source, row_p, row_y in zip(sources, scores_NK.tolist(), labels_NK.tolist(), strict=True)
        ]
        return Outcome(self._metrics(table, scores_NK, labels_NK), table, images, curves, notices)

    def scorer(self, outcome: Outcome) -> Scorer:
        """AUC, average precision, and accuracy and kappa where classes exclude each other, of some of the images."""
        return of_classification(outcome.images, self.classes, self.mean_of, self.exclusive, self.ordered)

    def told(self) -> dict[str, Any]:
        """The task, its classes and what they are, and those that the means are over."""
        kind = {"exclusive": self.exclusive, "ordered": self.ordered}
        return {"task": "classification", "classes": self.classes, "mean_of": self.mean_of, **kind}

    def _row(self, name: str, scores_N: Values, labels_N: Values, threshold: float | None) -> Row:
        both = _has_both(labels_N)
        row: Row = {
            "class": name,
            "images": len(labels_N),
            "positives": int((labels_N == 1).sum()),
            "auc": auc(scores_N, labels_N),
            "average_precision": float(average_precision_score(labels_N, scores_N)) if both else float("nan"),
            "youden_threshold": youden_threshold(scores_N, labels_N),
        }
        if threshold is not None:
            row |= {"threshold": threshold, **at_threshold(scores_N, labels_N, threshold)}
        return row

    def _metrics(self, table: list[Row], scores_NK: Values, labels_NK: Values) -> dict[str, float]:
        averaged = [name for name in (*RANKED, *THRESHOLD_METRICS) if name in table[0]]
        tested = [row for row in table if row["class"] in self.mean_of]
        metrics = {name: defined_mean([row[name] for row in tested]) for name in averaged}
        if self.exclusive:
            scorer = GradingScorer(scores_NK, labels_NK, self.ordered)
            metrics |= dict(zip(scorer.names, scorer(np.arange(len(scores_NK))).tolist(), strict=True))
        metrics["undefined_classes"] = float(sum(math.isnan(row["auc"]) for row in table))
        return metrics | {f"{name}/{row['class']}": row[name] for name in RANKED for row in table}

    def _check(self, sources: list[str], scores_NK: Values, labels_NK: Values) -> None:
        expected = (len(sources), len(self.classes))
        if scores_NK.shape != expected or labels_NK.shape != expected:
            raise ValueError(
                f"Predictions {scores_NK.shape} and labels {labels_NK.shape} do not fit {len(self.classes)} classes "
                f"{self.classes}: `findings` in the config must name the network's outputs."
            )
        bad = ~np.isfinite(scores_NK).all(axis=1)
        if bad.any():
            raise ValueError(
                f"The network's output for {sources[int(bad.argmax())]} is not finite; no metric was computed."
            )


def _has_both(labels_N: Values) -> bool:
    return bool(len(labels_N)) and bool(labels_N.min() != labels_N.max())
