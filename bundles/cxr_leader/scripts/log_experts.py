"""Keep a figure of who is shown what: the student, and the experts that it learns from."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bundles.cxr_leader.scripts.method import LeADER
from bundles.cxr_leader.scripts.views import VIEW
from common.figures import outline
from common.reporting import LogViews
from common.reporting.log_views import Shown
from common.teachers import CachedExpert
from common.views import crop_resize

REGION = "region"


class LogExperts(LogViews):
    """Handler of a trainer: before training, the first items, what student and experts see of them, and what these say.

    An expert that was asked beforehand (D6) saw the item's region without augmentation; one that is run along sees the
    student's very image. Of either, the figure tells how alike it finds an item and the first one.

    Args:
        method: has the experts.
        options: of `LogViews`.
    """

    def __init__(self, method: LeADER, **options: Any):
        super().__init__(**options)
        self.method = method

    def shown(self, batch: Mapping[str, Any]) -> Shown:
        """As of `LogViews`, with the regions, and with who sees what in the notes."""
        outlines, views, notes = super().shown(batch)
        sees = {VIEW: ["student"], REGION: []}
        words: dict[str, list[list[str]]] = {VIEW: [[note] for note in notes[VIEW]], REGION: [[] for _ in notes[VIEW]]}
        for name, expert in self.method.experts.items():
            place = REGION if isinstance(expert, CachedExpert) else VIEW
            sees[place].append(f"{name} expert")
            for item, cosine in enumerate(self._cosines(name, views[VIEW], batch)):
                words[place][item].append(f"{name}: cosine to the first {cosine:.2f}")
        if sees[REGION]:
            region_B4 = (batch["patch"] * batch["image"].shape[-1]).float()
            outlines[REGION] = [outline(box_4) for box_4 in region_B4]
            views[REGION] = crop_resize(batch["image"], region_B4, views[VIEW].shape[-1])
        told = {
            name: ["\n".join(filter(None, [", ".join(sees[name]), *lines])) for lines in words[name]]
            for name in outlines
        }
        return outlines, views, told

    @torch.no_grad()
    def _cosines(self, name: str, views_BCHW: Tensor, batch: Mapping[str, Any]) -> list[float]:
        device = next(self.method.parameters()).device
        found_BK = self.method.experts[name].embed(views_BCHW.to(device), batch)  # type: ignore[operator]
        return F.cosine_similarity(found_BK, found_BK[:1]).tolist()
