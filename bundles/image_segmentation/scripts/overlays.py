"""Pictures of the worst, the middling and the best predicted masks of an evaluation."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from bundles.image_segmentation.scripts.overlay_figure import dice_of, overlay_figure
from common.evaluation import LogExamples

if TYPE_CHECKING:
    from common.reporting import Tracking


class LogOverlays(LogExamples):
    """Handler of an evaluator: outlines of masks on images, chosen by the mean Dice over annotated structures.

    Args:
        structures: names of the channels.
        tracking: takes the figures.
        count: images of each kind, 1 or more.
        split: of the data set, for the title.
    """

    measure = "mean Dice"

    def __init__(self, structures: Sequence[str], tracking: "Tracking", count: int = 2, split: str = ""):
        super().__init__(tracking, count, split)
        self.structures = list(structures)

    def score(self, item: Mapping[str, Any]) -> float:
        """The mean Dice of an item; nan where nothing is annotated."""
        return dice_of(item).nanmean().item()

    def draw(self, items: Mapping[str, Sequence[Mapping[str, Any]]], title: str) -> Figure:
        """Outlines of truth and prediction."""
        return overlay_figure(items, self.structures, title)
