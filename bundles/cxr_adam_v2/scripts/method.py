"""Adam v2: a student learns from its own moving average where a part lies, what it composes and what it consists of.

Localisation is self-distillation between one global crop for the teacher and several crops, global and local, for the
student. Composition asks the student to predict the teacher's embedding of a whole from its own embeddings of the four
quarters, decomposition the teacher's embeddings of the quarters from its own embedding of the whole.

Shapes: B images, N crops of each, C channels of an embedding, K codes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bundles.cxr_adam_v2.scripts.heads import Composer, Decomposer
from common.teachers import MomentumTeacher
from common.views import QUARTERS


class Branch(nn.Module):
    """What student and teacher have in common: encoder and projection head.

    Args:
        encoder: image encoder with `embed(images) -> embeddings`.
        head: maps embeddings to codes.
    """

    def __init__(self, encoder: nn.Module, head: nn.Module):
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, crops: Sequence[Tensor], coded: int) -> tuple[Tensor, Tensor]:
        """Codes (coded, B, K) of the first crops and embeddings (N, B, C) of all.

        Args:
            crops: N batches (B, channels, side, side) of crops of the same B images; the encoder is called once for
                each distinct side.
            coded: how many of them the head maps to codes.
        """
        embeddings: dict[int, Tensor] = {}
        for side in dict.fromkeys(crop.shape[-1] for crop in crops):
            chosen = [index for index, crop in enumerate(crops) if crop.shape[-1] == side]
            together = self.encoder.embed(torch.cat([crops[index] for index in chosen]))
            embeddings |= dict(zip(chosen, together.chunk(len(chosen)), strict=True))
        embedding_NBC = torch.stack([embeddings[index] for index in range(len(crops))])
        codes = self.head(embedding_NBC[:coded].flatten(0, 1))
        return codes.unflatten(0, (coded, -1)), embedding_NBC


class AdamV2(nn.Module):
    """The training module: holds student, teacher, heads and losses; one call is one step's losses.

    The total loss is their weighted sum. Localisation alone is the L stage of the released curriculum, all three are
    its LCD stage.

    Args:
        encoder: the student's encoder; the teacher starts as its copy.
        view: samples and renders the crops; it has `local_names`.
        head: projection head for localisation.
        localisation: self-distillation of several student crops from one teacher crop, with a centre.
        composition: compares the composed embedding with the teacher's of the whole; None leaves it out.
        decomposition: compares the decomposed embeddings with the teacher's of the quarters; None leaves it out.
        weights: of localisation, composition and decomposition.
        gather: concatenates a tensor over processes, for the centre; None in a single process.
    """

    def __init__(
        self,
        encoder: nn.Module,
        view: Any,
        head: nn.Module,
        localisation: nn.Module,
        composition: nn.Module | None = None,
        decomposition: nn.Module | None = None,
        weights: Sequence[float] = (1.0, 1.0, 1.0),
        gather: Callable[[Tensor], Tensor] | None = None,
    ):
        super().__init__()
        self.view = view
        self.student = Branch(encoder, head)
        self.teacher = MomentumTeacher(self.student)
        self.composer = Composer(encoder.embed_dim) if composition is not None else None
        self.decomposer = Decomposer(encoder.embed_dim) if decomposition is not None else None
        self.localisation = localisation
        self.composition = composition
        self.decomposition = decomposition
        self.weights = dict(zip(("localisation", "composition", "decomposition"), weights, strict=True))
        self.shared = ("whole", *QUARTERS) if composition is not None or decomposition is not None else ()
        self.gather = gather

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Losses by name for a batch with `image` (B, C, S, S) uint8 and `view` (sampled parameters)."""
        return self.losses(self.view.render(batch["image"], batch["view"]))

    def losses(self, views: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Losses by name for rendered crops in [0, 1]; `loss` is the total to differentiate."""
        shared = [views[name] for name in self.shared]
        distilled = [views["student"], *(views[name] for name in self.view.local_names)]
        student_codes_NBK, student_NBC = self.student([*distilled, *shared], coded=len(distilled))
        teacher_codes_1BK, teacher_NBC = self.teacher([views["teacher"], *shared], coded=1)

        parts = {"localisation": self.localisation(student_codes_NBK, teacher_codes_1BK[0])}
        if self.training:
            self.localisation.update_centre(teacher_codes_1BK[0], gather=self.gather)
        if shared:
            parts |= self._part_whole(student_NBC[len(distilled) :], teacher_NBC[1:])
        return {"loss": sum(self.weights[name] * part for name, part in parts.items()), **parts}

    def _part_whole(self, student_5BC: Tensor, teacher_5BC: Tensor) -> dict[str, Tensor]:
        """Composition and decomposition; the whole's embedding comes first, then the quarters'."""
        losses = {}
        if self.composition is not None:
            composed_B1C = self.composer(student_5BC[1:]).unsqueeze(1)
            losses["composition"] = self.composition(composed_B1C, teacher_5BC[0].unsqueeze(1))
        if self.decomposition is not None:
            teacher_B4C = teacher_5BC[1:].transpose(0, 1)
            losses["decomposition"] = self.decomposition(self.decomposer(student_5BC[0]), teacher_B4C)
        return losses

    def update_teacher(self, momentum: float) -> None:
        """Move the teacher towards the student; called after each optimiser step."""
        self.teacher.update(self.student, momentum)
