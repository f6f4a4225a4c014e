"""BYOL, the baseline of SRHRS: two random crops of the whole image predict one another, without negatives.

Shapes: B images, C image channels, S pixels of a view's side, E channels of an embedding.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bundles.cxr_srhrs.scripts.method import EncoderWithProjector
from common.networks import Encoder
from common.teachers import StudentTeacher
from common.views import View


class BYOL(StudentTeacher):
    """The training module of the baseline; one call is one step's losses.

    The student's predictor maps its vector of each crop to the teacher's vector of the other one.

    Args:
        encoder: the student's encoder; the teacher starts as its copy.
        view: samples and renders `first` and `second` (`common.views.TwoCrops`).
        projector: maps feature maps to vectors.
        predictor: of the student alone.
        regression: loss of a prediction and its target.

    Source: Grill et al., Bootstrap Your Own Latent, NeurIPS 2020.
    """

    def __init__(self, encoder: Encoder, view: View, projector: nn.Module, predictor: nn.Module, regression: nn.Module):
        super().__init__(EncoderWithProjector(encoder, projector), copy_buffers=False)
        self.view = view
        self.predictor = predictor
        self.regression = regression

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Losses by name for a batch with `image` (B, C, H, W) uint8 and `view` (sampled parameters)."""
        views = self.view.render(batch["image"], batch["view"])
        return self.losses(views["first"], views["second"])

    def losses(self, first_BCSS: Tensor, second_BCSS: Tensor) -> dict[str, Tensor]:
        """Losses by name for two rendered crops in [0, 1]."""
        images = torch.cat([first_BCSS, second_BCSS])  # of one distribution, so batch norm may see them together
        predicted_a, predicted_b = self.predictor(self.student(images)[0]).chunk(2)
        target_a, target_b = self.teacher(images)[0].chunk(2)
        return {"loss": self.regression(predicted_a, target_b) + self.regression(predicted_b, target_a)}
