"""Keep a figure of what a network is shown, so that a person sees at once when views are wrong."""

from typing import TYPE_CHECKING, Any

from ignite.engine import Engine, Events
from torch.utils.data import Dataset, default_collate

from ..engines import rank
from ..sampling import SampleKey, View
from .figures import views_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .tracking import Tracking


class LogViews:
    """Handler of a trainer: before training, the first images with their boxes and views, as an artifact of the run.

    Args:
        dataset: gives images and sampled parameters.
        view: renders them.
        tracking: keeps the figure.
        count: images shown.
    """

    name = "views"

    def __init__(self, dataset: Dataset, view: View, tracking: "Tracking", count: int = 3):
        self.dataset, self.view, self.tracking, self.count = dataset, view, tracking, count

    def attach(self, engine: Engine) -> None:
        """Draw once, on the first process, when training starts."""
        if rank() == 0:
            engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Draw and hand over."""
        if engine.state.iteration == 0:
            self.tracking.log_figure(self.name, self.figure())

    def batch(self) -> dict[str, Any]:
        """The first images and their parameters, as in the first epoch."""
        keys = [SampleKey(0, index) for index in range(min(self.count, len(self.dataset)))]  # type: ignore[arg-type]
        collated: dict[str, Any] = default_collate([self.dataset[key] for key in keys])
        return collated

    def figure(self) -> "Figure":
        """The figure itself."""
        batch = self.batch()
        views = self.view.render(batch["image"], batch["view"])
        return views_figure(batch["image"], self.view.boxes(batch["view"]), views)
