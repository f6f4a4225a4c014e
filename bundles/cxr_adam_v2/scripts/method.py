"""Adam v2: a student learns from its own moving average where a part lies, what it composes and what it consists of.

Localisation is self-distillation: the student codes many crops, global and local, as the teacher codes a few large
ones. Composition asks the student to predict the teacher's embedding of a whole from its own embeddings of the four
quarters, decomposition the teacher's embeddings of the quarters from its own embedding of the whole.

Paper: https://arxiv.org/abs/2404.15672.

Shapes: B images, N crops of each, M those that the teacher codes, C channels of an embedding, K codes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bundles.cxr_adam_v2.scripts.granularity import GranularCrops
from bundles.cxr_adam_v2.scripts.heads import Composer, Decomposer
from common.losses import MultiCropDistillation
from common.networks import Encoder
from common.teachers import MomentumTeacher, StudentTeacher


class EncoderWithHead(nn.Module):
    """What student and teacher are: an encoder and a projection head.

    Args:
        encoder: embeds images.
        head: maps embeddings to codes.
    """

    def __init__(self, encoder: Encoder, head: nn.Module):
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


class AdamV2(StudentTeacher):
    """The training module: holds student, teacher, heads and losses; one call is one step's losses.

    The total loss is their weighted sum. Localisation alone is the L stage of the released curriculum, whose teacher
    codes two global crops and whose student all ten: 18 terms without the pairs of one crop. All three losses are its
    LCD stage, whose teacher codes the whole alone and whose student nine crops about its centre: 9 terms.

    Args:
        encoder: the student's encoder; the teacher starts as its copy.
        view: samples and renders the crops, and says which network sees which.
        head: projection head for localisation.
        localisation: self-distillation of several crops, with a centre.
        composition: compares the composed embedding with the teacher's of the whole; None leaves it out.
        decomposition: compares the decomposed embeddings with the teacher's of the quarters; None leaves it out.
        weights: of localisation, composition and decomposition.
        gather: concatenates a tensor over processes, for the centre; None in a single process.
    """

    student: EncoderWithHead

    def __init__(
        self,
        encoder: Encoder,
        view: GranularCrops,
        head: nn.Module,
        localisation: MultiCropDistillation,
        composition: nn.Module | None = None,
        decomposition: nn.Module | None = None,
        weights: Sequence[float] = (1.0, 1.0, 1.0),
        gather: Callable[[Tensor], Tensor] | None = None,
    ):
        super().__init__(EncoderWithHead(encoder, head))
        self.view = view
        self.composer = Composer(encoder.embed_dim) if composition is not None else None
        self.decomposer = Decomposer(encoder.embed_dim) if decomposition is not None else None
        self.localisation = localisation
        self.composition = composition
        self.decomposition = decomposition
        self.weights = dict(zip(("localisation", "composition", "decomposition"), weights, strict=True))
        self.with_parts = composition is not None or decomposition is not None
        self.gather = gather

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Losses by name for a batch with `image` (B, C, S, S) uint8 and `view` (sampled parameters)."""
        return self.losses(self.view.render(batch["image"], batch["view"]))

    def losses(self, views: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Losses by name for rendered crops in [0, 1]; `loss` is the total to differentiate."""
        student_codes_NBK, student_BC = self._code(self.student, views, self.view.student_names)
        teacher_codes_MBK, teacher_BC = self._code(self.teacher, views, self.view.teacher_names)

        parts = {"localisation": self.localisation(student_codes_NBK, teacher_codes_MBK, self._same())}
        told_apart = self.localisation.told_apart(teacher_codes_MBK.flatten(0, 1))
        if self.training:
            self.localisation.update_centre(teacher_codes_MBK.flatten(0, 1), gather=self.gather)
        if self.with_parts:
            student_5BC, teacher_5BC = (
                torch.stack([own_BC[name] for name in self.view.part_names]) for own_BC in (student_BC, teacher_BC)
            )
            parts |= self._part_whole(student_5BC, teacher_5BC)
        total = sum(self.weights[name] * part for name, part in parts.items())
        return {"loss": total, **parts, "told_apart": told_apart}

    def _code(
        self, network: EncoderWithHead | MomentumTeacher, views: Mapping[str, Tensor], coded: Sequence[str]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Codes of some crops, and embeddings by name of these and of whole and quarters, each encoded once."""
        names = tuple(dict.fromkeys((*coded, *(self.view.part_names if self.with_parts else ()))))
        codes, embedding_NBC = network([views[name] for name in names], coded=len(coded))
        return codes, dict(zip(names, embedding_NBC, strict=True))

    def _same(self) -> dict[int, int]:
        """Where among the student's crops the teacher's are, if they are."""
        student_names = self.view.student_names
        return {
            index: student_names.index(name)
            for index, name in enumerate(self.view.teacher_names)
            if name in student_names
        }

    def _part_whole(self, student_5BC: Tensor, teacher_5BC: Tensor) -> dict[str, Tensor]:
        """Composition and decomposition; the whole's embedding comes first, then the quarters'."""
        losses = {}
        if self.composition is not None and self.composer is not None:
            composed_B1C = self.composer(student_5BC[1:]).unsqueeze(1)
            losses["composition"] = self.composition(composed_B1C, teacher_5BC[0].unsqueeze(1))
        if self.decomposition is not None and self.decomposer is not None:
            teacher_B4C = teacher_5BC[1:].transpose(0, 1)
            losses["decomposition"] = self.decomposition(self.decomposer(student_5BC[0]), teacher_B4C)
        return losses
