"""Keep a figure of what a network is shown, so that a person sees at once when views are wrong."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from ..engines import rank
from ..figures import outline
from ..sampling import SampleKey, View
from .figures import views_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .tracking import Tracking

Shown = tuple[dict[str, list[Tensor]], dict[str, Tensor], dict[str, list[str]]]
"""Outlines, views and notes by name, as `views_figure` takes them."""


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
        return views_figure(batch["image"], *self.shown(batch))

    def shown(
        self, batch: Mapping[str, Any]
    ) -> tuple[dict[str, list[Tensor]], dict[str, Tensor], dict[str, list[str]]]:
        """Parts of the images, the views, and what was done to each, by name: as `views_figure` takes them."""
        params, boxes = batch["view"], self.view.boxes(batch["view"])
        changes = {name: [_change(params, name, index) for index in range(len(boxes[name]))] for name in boxes}
        outlines = {
            name: [outline(box, *change) for box, change in zip(boxes[name], changes[name], strict=True)]
            for name in boxes
        }
        overturned_B = params.get("vertical_flip", torch.zeros(len(batch["image"])))  # of all crops of an image
        notes = {
            name: [_in_words(*change, bool(over)) for change, over in zip(changes[name], overturned_B, strict=True)]
            for name in boxes
        }
        return outlines, self.view.render(batch["image"], params), notes


def _change(params: Mapping[str, Tensor], name: str, index: int) -> tuple[bool, float]:
    """Whether an image's crop of this name is mirrored, and by how many degrees it is rotated; many never are."""
    flip_B, angle_B = (params.get(f"{name}_{change}") for change in ("flip", "angle"))
    return flip_B is not None and bool(flip_B[index]), 0.0 if angle_B is None else float(angle_B[index])


def _in_words(flip: bool, angle: float, overturned: bool) -> str:
    words = (
        "mirrored" if flip else "",
        f"turned {angle:.0f}°" if abs(angle) >= 0.5 else "",
        "upside down" if overturned else "",
    )
    return ", ".join(filter(None, words))
