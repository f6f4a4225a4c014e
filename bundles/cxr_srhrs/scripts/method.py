"""SRHRS: one student learns from random patches of many scales, with its moving average as teacher.

Three losses: the patch must be told from the batch's other patches by the teacher's view of it (consistency), its
scale and location must be predicted from its embedding, and each quarter of the patch, seen alone, must be told from
the other three by the quarters of the teacher's feature map (decomposition).

Paper: https://papers.miccai.org/miccai-2025/0067-Paper0179.html.

Shapes: B images, C image channels, S pixels of a view's side, E channels of an embedding, h w cells of a feature map.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bundles.cxr_srhrs.scripts.targets import quarter_maps
from bundles.cxr_srhrs.scripts.views import Patches
from common.losses import InBatchInfoNCE, LocationScale
from common.networks import Encoder, each_apart
from common.teachers import StudentTeacher
from common.views import QUARTERS


class EncoderWithProjector(nn.Module):
    """What student and teacher are: an encoder whose map is taken before pooling (C1), and a projector.

    Args:
        encoder: gives the map (B, channels, h, w) of images as its `tokens`.
        projector: maps feature maps to vectors (B, E).
    """

    def __init__(self, encoder: Encoder, projector: nn.Module):
        super().__init__()
        self.encoder = encoder
        self.projector = projector

    def forward(self, images_BCSS: Tensor, quarters: bool = False) -> tuple[Tensor, Tensor | None]:
        """Vectors (B, E) of images; with `quarters` also those of the quarters of their maps, (B, 4, E).

        Each place is normalised by itself, as `SRHRS.losses` wants it.
        """
        map_BChw = self.encoder.tokens(images_BCSS)
        whole_BE = self.projector(map_BChw)
        if not quarters:
            return whole_BE, None
        places = quarter_maps(map_BChw).unflatten(0, (-1, 4)).unbind(1)
        return whole_BE, torch.stack(each_apart(self.projector, self.projector, places), dim=1)

    def each(self, views: Sequence[Tensor]) -> list[Tensor]:
        """Vectors (B, E) of several views (B, C, S, S), none of which is normalised by another's statistics."""
        return each_apart(self.projector, self.projector, each_apart(self.encoder, self.encoder.tokens, views))


class SRHRS(StudentTeacher):
    """The training module: student, teacher, heads and losses; one call is one step's losses.

    Total loss: L_CL + 2 L_LSP + 1 L_DP. A loss that is None is left out; its head too.

    Args:
        encoder: the student's encoder; the teacher starts as its copy.
        view: samples and renders `teacher`, `student` and the four quarters, and gives the targets.
        projector: maps feature maps to vectors.
        contrast: consistency loss of the patch among the batch's patches.
        location_scale: loss of the predicted scale and place.
        location_head: maps unit vectors to that loss's logits; it needs one.
        decomposition: loss of a quarter among the four of its patch.
        location_weight: of the scale and place loss.
        decomposition_weight: of the decomposition loss.
        symmetric: also the student's view of what the teacher saw against the teacher's of what the student saw, at
            the price of two more passes (C11).
        gather: concatenates keys over processes; None contrasts with the own batch only.

    Raises:
        ValueError: a loss of scale and place without a head.
    """

    student: EncoderWithProjector

    def __init__(
        self,
        encoder: Encoder,
        view: Patches,
        projector: nn.Module,
        contrast: InBatchInfoNCE,
        location_scale: LocationScale | None = None,
        location_head: nn.Module | None = None,
        decomposition: InBatchInfoNCE | None = None,
        location_weight: float = 2.0,
        decomposition_weight: float = 1.0,
        symmetric: bool = False,
        gather: Callable[[Tensor], Tensor] | None = None,
    ):
        if location_scale is not None and location_head is None:
            raise ValueError("method#location_scale needs method#location_head; give it one or disable the loss.")
        super().__init__(EncoderWithProjector(encoder, projector), copy_buffers=False)
        self.view = view
        self.location_head = location_head if location_scale is not None else None
        self.contrast, self.location_scale, self.decomposition = contrast, location_scale, decomposition
        self.location_weight, self.decomposition_weight = location_weight, decomposition_weight
        self.symmetric = symmetric
        self.gather = gather

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Losses by name for a batch with `image` (B, C, H, W) uint8 and `view` (sampled parameters)."""
        params = batch["view"]
        return self.losses(self.view.render(batch["image"], params), self.view.targets(params))

    def losses(self, views: Mapping[str, Tensor], targets_B3: Tensor) -> dict[str, Tensor]:
        """Losses by name for rendered views in [0, 1]; `loss` is the total to differentiate."""
        # Each place is normalised by itself, as in the release: what all quarters of a place have in common is then
        # taken away by batch norm. By statistics of all four it would tell them apart without anything of the patch.
        # Nor may the patch share theirs, for the teacher's patch is normalised by patches alone.
        quarters = QUARTERS if self.decomposition is not None else ()
        student_BE, *quarters_BE = self.student.each([views[name] for name in ("student", *quarters)])
        teacher_BE, teacher_B4E = self.teacher(views["teacher"], quarters=self.decomposition is not None)
        parts = {"contrast": self._contrast(student_BE, teacher_BE)}
        if self.symmetric:
            swapped = self._contrast(self.student(views["teacher"])[0], self.teacher(views["student"])[0])
            parts["contrast"] = (parts["contrast"] + swapped) / 2
        total = parts["contrast"]
        if self.location_scale is not None and self.location_head is not None:
            logits_BO = self.location_head(nn.functional.normalize(student_BE.float(), dim=1))
            parts["location_scale"] = self.location_scale(logits_BO, targets_B3)
            total = total + self.location_weight * parts["location_scale"]
        if self.decomposition is not None:
            quarter_B4E = torch.stack(quarters_BE, dim=1)
            parts["decomposition"] = self.decomposition(quarter_B4E, teacher_B4E, teacher_B4E)
            total = total + self.decomposition_weight * parts["decomposition"]
        return {"loss": total, **parts}

    def _contrast(self, student_BE: Tensor, teacher_BE: Tensor) -> Tensor:
        # in validation every process sees the same batch, whose keys must not count twice
        keys_NE = self.gather(teacher_BE) if self.gather is not None and self.training else teacher_BE
        return self.contrast(student_BE, teacher_BE, keys_NE)
