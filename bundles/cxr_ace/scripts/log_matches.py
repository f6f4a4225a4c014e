"""Keep a figure of what the network is shown: both crops, where they lie, and the tokens that the loss matches."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from bundles.cxr_ace.scripts.targets import composition_targets
from bundles.cxr_ace.scripts.views import AlignedCrops
from common.reporting import LogViews, matches_figure


class LogMatches(LogViews):
    """Handler of a trainer: before training, the first images' crops and their matches, as an artifact of the run.

    The lines are drawn from the targets of the composition loss, not from the sampler's boxes, so a mistake in either
    shows.
    """

    view: AlignedCrops

    def figure(self) -> Any:
        """The figure itself."""
        batch = self.batch()
        views = self.view.render(batch["image"], batch["view"])
        points = self._matches(batch["view"], len(batch["image"]))
        two = {name: views[name] for name in ("coarse", "fine")}
        return matches_figure(batch["image"], self.view.boxes(batch["view"]), two, points)

    def _matches(self, params: Mapping[str, Tensor], count: int) -> tuple[list[Tensor], list[Tensor]]:
        """Centres (row, col) in pixels of coarse tokens and of the fine blocks that compose them."""
        if "coarse_origin" not in params:  # plain crops have none
            return [torch.zeros(0, 2)] * count, [torch.zeros(0, 2)] * count
        tokens = self.view.tokens
        cell = self.view.size / tokens
        peaks = composition_targets(params["coarse_origin"], params["fine_origin"], tokens) == 1
        coarse, fine = [], []
        for peak_TS in peaks:
            token, block = peak_TS.nonzero().unbind(1)
            coarse.append((_grid(token, tokens) + 0.5) * cell)
            fine.append((_grid(block, tokens // 2) + 0.5) * 2 * cell)
        return coarse, fine


def _grid(index_M: Tensor, side: int) -> Tensor:
    return torch.stack([index_M // side, index_M % side], dim=1)
