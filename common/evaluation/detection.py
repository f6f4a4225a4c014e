"""Detection: average precision per finding, precision and recall at a threshold, AUC of images.

Shapes: B images of a batch, N images in all, D detections and M boxes of an image, K findings.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ..scoring.detection_scorer import AT_THRESHOLD, RANKED, DetectionScorer
from ..scoring.from_rows import Row
from ..scoring.matched import Matched
from ..scoring.scorers import Values
from .box_matching import match
from .classification import auc
from .report import Outcome, Report, defined_mean


class DetectionReport(Report):
    """Average precision and what belongs to it, for MONAI's evaluator.

    A detection hits a box of its finding where their IoU is at least `iou`. `average_precision` is COCO's, over all
    detections; `precision`, `recall` and `f1` take those from a threshold on, which another split has to choose: chosen
    where they are measured they would flatter. `image_auc` asks whether an image has the finding at all, by its most
    certain detection (D14). Each is a mean over findings; one without a box has none, is named, and does not count.

    Args:
        findings: names of the K kinds of boxes, in the order of the network's outputs.
        image_size: side of the network's square input, pixels.
        iou: of a hit.
        thresholds_from: the report of the split whose best F1 chooses the threshold of each finding; None leaves
            `precision`, `recall` and `f1` out.
        limit: most detections of an image, 100 in COCO.

    Example:
        >>> import torch
        >>> report = DetectionReport(["Nodule"], image_size=64)
        >>> detected = torch.tensor([[8.0, 8.0, 16.0, 16.0, 0.9, 0.0], [40.0, 40.0, 50.0, 50.0, 0.3, 0.0]])
        >>> report.update(([detected], [torch.tensor([[8.0, 8.0, 16.0, 17.0, 0.0]])]))
        >>> report.compute()["average_precision"]
        1.0
    """

    def __init__(
        self,
        findings: Sequence[str],
        image_size: int,
        iou: float = 0.5,
        thresholds_from: "DetectionReport | None" = None,
        limit: int = 100,
    ):
        if len(set(findings)) != len(findings) or not findings:
            raise ValueError(f"findings {list(findings)} must be distinct names, at least one.")
        if not 0 < iou <= 1:
            raise ValueError(f"iou is {iou}; it must lie in (0, 1], such as 0.5.")
        self.findings, self.image_size, self.iou = list(findings), image_size, iou
        self.thresholds_from, self.limit = thresholds_from, limit
        super().__init__(headline="average_precision")

    @property
    def thresholds(self) -> dict[str, float]:
        """The score of each finding from which on this split's F1 is highest; ValueError before it was measured."""
        if self.outcome is None:
            raise ValueError("No thresholds yet: run the evaluator that chooses them (the validation split) first.")
        return {row["finding"]: row["best_threshold"] for row in self.outcome.table}

    def update(self, output: tuple[Any, Any]) -> None:
        """Keep the boxes of a batch; images have different numbers of them, so that rows of -1 fill up."""
        predictions, labels = output
        if any(len(rows) > self.limit for rows in predictions):
            raise ValueError(f"An image has more than {self.limit} detections: raise `limit` of the report.")
        super().update(([F.pad(rows, (0, 0, 0, self.limit - len(rows)), value=-1.0) for rows in predictions], labels))

    def keep(self, predictions: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Detections (B, limit, 6) and boxes (B, M, 5), as they are."""
        if predictions.shape[2:] != (6,) or labels.shape[2:] != (5,):
            raise ValueError(
                f"Detections {tuple(predictions.shape)} and boxes {tuple(labels.shape)} must be (B, D, 6) and "
                "(B, M, 5): top, left, bottom, right, then a score, then the number of the finding."
            )
        if not predictions.isfinite().all():
            raise ValueError(
                f"The network's output for {self._sources or 'this batch'} is not finite; no metric was computed."
            )
        return predictions.double().cpu(), labels.double().cpu()

    def told(self) -> dict[str, Any]:
        """The task and its findings."""
        return {"task": "detection", "classes": self.findings}

    def scorer(self, outcome: Outcome) -> DetectionScorer:
        """The numbers of some of the images."""
        chosen = [row["threshold"] for row in outcome.table] if "threshold" in outcome.table[0] else None
        return DetectionScorer(self.findings, self._matched, chosen)

    def report(self, sources: list[str], predictions: Tensor, labels: Tensor) -> Outcome:
        """Turn the boxes of all images into numbers."""
        detected = [rows[rows[:, 5] >= 0] for rows in predictions.numpy()]
        true = [rows[rows[:, 4] >= 0] for rows in labels.numpy()]
        matched = self._matched = match(detected, true, len(self.findings), self.iou)
        thresholds = self._chosen()
        table = [
            self._row(name, found, thresholds.get(name)) for name, found in zip(self.findings, matched, strict=True)
        ]
        measured = [name for name in (*RANKED, *AT_THRESHOLD) if name in table[0]]
        metrics = {name: defined_mean([row[name] for row in table]) for name in measured}
        metrics |= {f"{name}/{row['finding']}": row[name] for name in RANKED for row in table}
        return Outcome(metrics, table, self._images(sources, detected, matched), notices=self._notices(table))

    def _chosen(self) -> dict[str, float]:
        chooser = self.thresholds_from
        return chooser.thresholds if chooser is not None and chooser.outcome is not None else {}

    def _row(self, name: str, found: Matched, threshold: float | None) -> Row:
        row: Row = {
            "finding": name,
            "images": len(found.boxes),
            "with_boxes": int((found.boxes > 0).sum()),
            "boxes": int(found.boxes.sum()),
            "average_precision": found.average_precision(),
            "image_auc": auc(found.image_scores(), (found.boxes > 0).astype(float)),
            "best_threshold": found.best_threshold(),
        }
        return row if threshold is None else row | {"threshold": threshold, **found.at(threshold)}

    def _images(self, sources: Sequence[str], detected: Sequence[Values], matched: Sequence[Matched]) -> list[Row]:
        """For each image how many boxes it has, its scores, and its detections as fractions of (height, width).

        The most certain detection is the first; nine digits keep scores apart that float32 does.
        """
        scores_KN = [found.image_scores().tolist() for found in matched]
        rows = []
        for n, source in enumerate(sources):
            row: Row = {"source": source}
            hit_K = [iter(found.hits[found.images == n].tolist()) for found in matched]
            for name, found, scores_N in zip(self.findings, matched, scores_KN, strict=True):
                hits = int(found.hits[found.images == n].sum())
                row |= {f"{name}/boxes": int(found.boxes[n]), f"{name}/hits": hits, f"{name}/score": scores_N[n]}
            boxes = [
                {
                    "finding": self.findings[int(number)],
                    "score": round(score, 9),
                    "hit": next(hit_K[int(number)]),
                    "box": _fractions(box, self.image_size),
                }
                for *box, score, number in sorted(detected[n].tolist(), key=lambda box: -box[4])
            ]
            rows.append({**row, "detections": json.dumps(boxes)})
        return rows

    def _notices(self, table: Sequence[Row]) -> list[str]:
        found = [
            f"{row['finding']}: no box in {row['images']} images; not counted."
            for row in table
            if math.isnan(row["average_precision"])
        ]
        if self.thresholds_from is not None and "threshold" not in table[0]:
            found.append("No threshold was chosen on another split before: precision, recall and F1 are left out.")
        unchosen = [row["finding"] for row in table if math.isnan(row.get("threshold", 0.0))]
        if unchosen:
            found.append(f"{', '.join(unchosen)}: no threshold, nothing is hit in the split that chooses it.")
        return found


def _fractions(box: Sequence[float], side: int) -> list[float]:
    return [round(edge / side, 5) for edge in box]
