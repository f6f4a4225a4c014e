"""Pictures of the worst, the middling and the best detections of an evaluation."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from bundles.lesion_detection.scripts.overlay_figure import overlay_figure
from common.evaluation import LogExamples
from common.evaluation.box_matching import match

if TYPE_CHECKING:
    from common.reporting import Tracking


class LogDetections(LogExamples):
    """Handler of an evaluator: boxes on images, chosen by how certainly their boxes are found; on those with boxes.

    Args:
        findings: names of the kinds of boxes.
        tracking: takes the figures.
        count: images of each kind, 1 or more.
        split: of the data set, for the title.
        iou: from which on a detection finds a box.
    """

    measure = "mean score of the detections that find their boxes"

    def __init__(
        self, findings: Sequence[str], tracking: "Tracking", count: int = 2, split: str = "", iou: float = 0.5
    ):
        super().__init__(tracking, count, split)
        self.findings, self.iou = list(findings), iou

    def score(self, item: Mapping[str, Any]) -> float:
        """Mean over an item's boxes of the score of the detection that finds each, 0 where none does; nan without."""
        true = item["label"].double().cpu().numpy()
        true = true[true[:, 4] >= 0]
        found = match([item["pred"].double().cpu().numpy()], [true], len(self.findings), self.iou)
        return sum(float(one.scores[one.hits].sum()) for one in found) / len(true) if len(true) else float("nan")

    def draw(self, items: Mapping[str, Sequence[Mapping[str, Any]]], title: str) -> Figure:
        """Rectangles of truth and detections."""
        return overlay_figure(items, self.findings, title)
