"""Segmentation: Dice and IoU per structure, per image and pooled over all pixels.

Shapes: B images of a batch, N images in all, K structures, H W space.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..records import IGNORE
from ..scoring.from_rows import Row, of_segmentation
from ..scoring.scorers import JoinedScorer, Rows, Scorer, Values, mean_over_classes
from .report import Outcome, Report, defined_mean

THRESHOLDS = tuple(step / 20 for step in range(10, 20))  # of `mean_iou`: 0.5, 0.55, ..., 0.95
POOLED = ("pooled_dice", "pooled_iou")


def overlap_counts(probabilities_BKHW: Tensor, labels_BKHW: Tensor, threshold: float = 0.5) -> Tensor:
    """Pixel counts (B, K, 4) from which Dice and IoU follow: in both, predicted, true, annotated."""
    annotated = labels_BKHW != IGNORE
    predicted = (probabilities_BKHW > threshold) & annotated
    true = (labels_BKHW == 1) & annotated
    counts = [part.flatten(2).sum(-1) for part in (predicted & true, predicted, true, annotated)]
    return torch.stack(counts, dim=-1).double()


def dice_iou(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Dice and IoU (...) of counts (..., 4): 1 where both are empty, nan where nothing was annotated."""
    both, predicted, true, annotated = counts.unbind(-1)
    total = predicted + true
    dice = torch.where(total > 0, 2 * both / total, 1.0)
    iou = torch.where(total > 0, both / (total - both), 1.0)
    nothing = annotated == 0
    return dice.masked_fill(nothing, torch.nan), iou.masked_fill(nothing, torch.nan)


def merged(probabilities_BKHW: Tensor, labels_BKHW: Tensor) -> tuple[Tensor, Tensor]:
    """All structures as one, each (B, 1, H, W): the highest probability, and whether a pixel is in any of them.

    A pixel of which a structure is not annotated is known only where another one holds it.
    """
    labels_B1HW = torch.where((labels_BKHW == 1).any(1, keepdim=True), 1, 0).to(labels_BKHW)
    unknown_B1HW = (labels_BKHW == IGNORE).any(1, keepdim=True) & (labels_B1HW == 0)
    return probabilities_BKHW.amax(1, keepdim=True), labels_B1HW.masked_fill(unknown_B1HW, IGNORE)


def background_iou(counts: Tensor) -> Tensor:
    """IoU (...) of what is not the structure, from counts (..., 4); 1 where there is none, nan without annotation."""
    both, predicted, true, annotated = counts.unbind(-1)
    union = annotated - both
    iou = torch.where(union > 0, (annotated - predicted - true + both) / union, 1.0)
    return iou.masked_fill(annotated == 0, torch.nan)


class SegmentationReport(Report):
    """Dice and IoU for MONAI's evaluator.

    `dice` is the mean over structures of the mean over images; `pooled_dice` takes all pixels of all images as one
    (methods, section 7: both are reported). An image in which a structure was not annotated does not count for it.

    `merged_iou` is the pooled IoU of all structures merged to one mask. `mean_iou` is what the released benchmarks call
    so: of that mask, the mean of its IoU and the background's, averaged over the thresholds 0.5, 0.55, ..., 0.95 (B14).
    With the background in it, it is the higher the smaller the structures are.

    Args:
        structures: names of the K channels.
        threshold: probability above which a pixel is predicted.

    Example:
        >>> report = SegmentationReport(["lung"])
        >>> report.update((torch.tensor([[[[0.9, 0.9, 0.1, 0.1]]]]), torch.tensor([[[[1, 0, 0, IGNORE]]]])))
        >>> report.compute()["dice/lung"]  # twice the one that both hold, of two predicted and one true
        0.6666666666666666
    """

    def __init__(self, structures: Sequence[str], threshold: float = 0.5):
        self.structures = list(structures)
        self.threshold = threshold
        super().__init__(headline="dice")

    def keep(self, predictions: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Keep counts instead of maps: a test set of maps does not fit in memory."""
        if predictions.shape != labels.shape or predictions.shape[1] != len(self.structures):
            raise ValueError(
                f"Predictions {tuple(predictions.shape)} and masks {tuple(labels.shape)} must have the same shape and "
                f"{len(self.structures)} channels, one for each of `structures` {self.structures}."
            )
        if not predictions.isfinite().all():
            raise ValueError(
                f"The network's output for {self._sources or 'this batch'} is not finite; no metric was computed."
            )
        counts = [overlap_counts(predictions, labels, self.threshold)]
        together, truth = merged(predictions, labels)
        counts += [overlap_counts(together, truth, threshold) for threshold in (self.threshold, *THRESHOLDS)]
        kept = torch.cat(counts, dim=1).cpu()
        return kept, kept.new_empty(len(kept))

    def scorer(self, outcome: Outcome) -> Scorer:
        """All numbers of some of the images."""
        means = of_segmentation(outcome.images, self.structures)
        return JoinedScorer(means, PooledScorer(self.structures, self._counts))

    def told(self) -> dict[str, Any]:
        """The task and its structures."""
        return {"task": "segmentation", "classes": self.structures}

    def report(self, sources: list[str], predictions: Tensor, labels: Tensor) -> Outcome:
        """Turn counts (N, K + 1 + thresholds, 4), of structures and of all of them merged, into numbers."""
        self._counts = predictions
        counts_NK4 = predictions[:, : len(self.structures)]
        dice_NK, iou_NK = dice_iou(counts_NK4)
        pooled_dice_K, pooled_iou_K = dice_iou(counts_NK4.sum(0))
        table: list[Row] = []
        notices: list[str] = []
        for k, name in enumerate(self.structures):
            annotated = int(dice_NK[:, k].isfinite().sum())
            table.append(
                {
                    "structure": name,
                    "images": annotated,
                    "dice": defined_mean(dice_NK[:, k].tolist()),
                    "iou": defined_mean(iou_NK[:, k].tolist()),
                    "pooled_dice": pooled_dice_K[k].item(),
                    "pooled_iou": pooled_iou_K[k].item(),
                }
            )
            if annotated < len(sources):
                notices.append(
                    f"{name}: {len(sources) - annotated} of {len(sources)} images lack its annotation; not counted."
                )
        notices += _never_found(self.structures, counts_NK4.sum(0))
        metrics = {key: defined_mean([row[key] for row in table]) for key in ("dice", "iou", *POOLED)}
        metrics |= dict(zip(("merged_iou", "mean_iou"), _merged_ious(predictions.sum(0)), strict=True))
        metrics |= {f"{key}/{row['structure']}": row[key] for row in table for key in ("dice", "iou")}
        images = [
            {"source": source, **dict(zip(self.structures, values, strict=True))}
            for source, values in zip(sources, dice_NK.tolist(), strict=True)
        ]
        return Outcome(metrics, table, images, notices=notices)


class PooledScorer:
    """Numbers of the pixels of all chosen images as one: Dice and IoU of structures, and IoU of all of them merged.

    Args:
        structures: names of the K.
        counts_NC4: of each image, as `SegmentationReport` keeps them.
    """

    def __init__(self, structures: Sequence[str], counts_NC4: Tensor):
        pooled = [name for metric in POOLED for name in (metric, *(f"{metric}/{it}" for it in structures))]
        self.names = (*pooled, "merged_iou", "mean_iou")
        self._counts_NC4, self._structures = counts_NC4.double(), len(structures)
        self._annotated_K = (counts_NC4[:, : self._structures, 3].sum(0) > 0).numpy()

    def __call__(self, rows_R: Rows) -> Values:
        """Numbers of these images."""
        weight_N = torch.bincount(torch.as_tensor(rows_R), minlength=len(self._counts_NC4)).double()
        counts_C4 = torch.einsum("n,nci->ci", weight_N, self._counts_NC4)
        found = [it.numpy() for it in dice_iou(counts_C4[: self._structures])]
        pooled = [np.r_[mean_over_classes(it_K, self._annotated_K), it_K] for it_K in found]
        return np.concatenate([*pooled, _merged_ious(counts_C4)])


def _merged_ious(counts_C4: Tensor) -> list[float]:
    """`merged_iou` and `mean_iou`, from the last counts: of the merged mask, and of it at each threshold."""
    merged_4, swept_T4 = counts_C4[-len(THRESHOLDS) - 1], counts_C4[-len(THRESHOLDS) :]
    mean = ((dice_iou(swept_T4)[1] + background_iou(swept_T4)) / 2).mean()
    return [dice_iou(merged_4)[1].item(), mean.item()]


def _never_found(structures: Sequence[str], counts_K4: Tensor) -> list[str]:
    """Structures that are there, and of which the network predicts nothing that is one."""
    return [
        f"{name}: never found in any image. Train for more optimiser steps, or label more images."
        for name, (both, _, true, _) in zip(structures, counts_K4.tolist(), strict=True)
        if true and not both
    ]
