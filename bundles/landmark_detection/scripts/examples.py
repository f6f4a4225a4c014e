"""Pictures of the worst, the middling and the best predicted landmarks of an evaluation."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from bundles.landmark_detection.scripts.points_figure import errors_of, points_figure
from common.evaluation import LogExamples

if TYPE_CHECKING:
    from common.reporting import Tracking


class LogPoints(LogExamples):
    """Handler of an evaluator: true and predicted points on images, chosen by the mean error over landmarks.

    Args:
        landmarks: names, in the order of the points.
        tracking: takes the figures.
        count: images of each kind, 1 or more.
        split: of the data set, for the title.
    """

    measure = "mean error in pixels of the network's input"
    high_is_good = False
    digits = 1

    def __init__(self, landmarks: Sequence[str], tracking: "Tracking", count: int = 2, split: str = ""):
        super().__init__(tracking, count, split)
        self.landmarks = list(landmarks)

    def score(self, item: Mapping[str, Any]) -> float:
        """The mean error of an item; nan where no landmark is known."""
        return errors_of(item).nanmean().item()

    def draw(self, items: Mapping[str, Sequence[Mapping[str, Any]]], title: str) -> Figure:
        """Points of truth and prediction."""
        return points_figure(items, self.landmarks, title)
