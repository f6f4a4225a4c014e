"""ACE: anatomical consistency across crops, learned by a student from its own moving average.

Two aligned crops of one radiograph are encoded: a fine one (n x n cells at native scale) and a
coarse one (2n x 2n cells at half scale), so that one coarse token covers the cells of 2x2 fine tokens.
Global consistency asks both crops for the same code of the region they share; local consistency asks the
student to compose coarse teacher tokens from fine ones and to decompose coarse tokens into fine teacher tokens.

Paper: https://arxiv.org/abs/2501.10131.

Shapes: B images, E channels of a token, H = W = n tokens per side, T = n * n, K codes.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bundles.cxr_ace.scripts.heads import Composer, Decomposer, rows
from bundles.cxr_ace.scripts.targets import (
    composition_targets,
    decomposition_targets,
    overlap_masks,
    overlap_mean,
)
from bundles.cxr_ace.scripts.views import AlignedCrops
from common.losses import MatchingLoss, SelfDistillation
from common.networks import Encoder
from common.teachers import StudentTeacher


class EncoderWithHeads(nn.Module):
    """What student and teacher are: an encoder, a global head and a dense head.

    Args:
        encoder: gives the embedding and the tokens of images.
        global_head: maps a global feature (B, E) to codes (B, K).
        dense_head: maps tokens (B, E, H, W) to unit tokens; None leaves the encoder's tokens.
    """

    def __init__(self, encoder: Encoder, global_head: nn.Module, dense_head: nn.Module | None = None):
        super().__init__()
        self.encoder = encoder
        self.global_head = global_head
        self.dense_head = dense_head if dense_head is not None else nn.Identity()

    def forward(self, images_BCHW: Tensor, overlap_BHW: Tensor | None) -> tuple[Tensor, Tensor]:
        """Codes (B, K) of the tokens inside `overlap_BHW`, or of the embedding without it, and dense tokens."""
        embedding_BE, tokens_BEHW = self.encoder.encode(images_BCHW)
        feature_BE = embedding_BE if overlap_BHW is None else overlap_mean(tokens_BEHW, overlap_BHW)
        return self.global_head(feature_BE), self.dense_head(tokens_BEHW)


class ACE(StudentTeacher):
    """The training module: holds student, teacher, heads and losses; one call is one step's losses.

    Total loss: 0.1 L_global + (L_composition + L_decomposition) / 2 (released code; silent in the paper).
    Leaving out both local losses on plain crops gives DINO.

    Args:
        encoder: the student's encoder; the teacher starts as its copy.
        view: samples and renders the two crops, `fine` and `coarse`; `PlainCrops` where the global loss of
            embeddings is alone.
        global_head: projection head for the global loss.
        global_loss: cross-crop self-distillation with a centre.
        dense_head: head applied to tokens; None uses the encoder's tokens (A10).
        composition: matching loss of composed fine tokens against coarse teacher tokens; None leaves it out.
        decomposition: matching loss of decomposed coarse tokens against fine teacher tokens; None leaves it out.
        global_weight: weight of the global loss (A22).
        overlap_only: the global feature is the mean of the tokens that both crops see (convolutional and Swin
            encoders); otherwise the encoder's own embedding, such as a class token (A24).
        gather: concatenates a tensor over processes, for the centre; None in a single process.
    """

    def __init__(
        self,
        encoder: Encoder,
        view: AlignedCrops,
        global_head: nn.Module,
        global_loss: SelfDistillation,
        dense_head: nn.Module | None = None,
        composition: MatchingLoss | None = None,
        decomposition: MatchingLoss | None = None,
        global_weight: float = 0.1,
        overlap_only: bool = True,
        gather: Callable[[Tensor], Tensor] | None = None,
    ):
        super().__init__(EncoderWithHeads(encoder, global_head, dense_head))
        self.view = view
        self.composer = Composer(encoder.embed_dim) if composition is not None else None
        self.decomposer = Decomposer(encoder.embed_dim) if decomposition is not None else None
        self.global_loss = global_loss
        self.composition = composition
        self.decomposition = decomposition
        self.global_weight = global_weight
        self.overlap_only = overlap_only
        self.gather = gather

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Losses by name for a batch with `image` (B, C, S, S) uint8 and `view` (sampled parameters)."""
        params = batch["view"]
        views = self.view.render(batch["image"], params)
        return self.losses(views["fine"], views["coarse"], params)

    def losses(self, fine_BCHW: Tensor, coarse_BCHW: Tensor, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Losses by name for two rendered crops in [0, 1]; `loss` is the total to differentiate."""
        images = torch.cat([fine_BCHW, coarse_BCHW])
        overlap = self._overlap(params) if self.overlap_only else None
        student_codes, student_tokens = self.student(images, overlap)
        teacher_codes, teacher_tokens = self.teacher(images, overlap)

        parts = {"global": self.global_loss(*student_codes.chunk(2), *teacher_codes.chunk(2))}
        told_apart = self.global_loss.told_apart(teacher_codes)
        if self.training:
            self.global_loss.update_centre(teacher_codes, gather=self.gather)
        local = self._local_losses(student_tokens, F.normalize(teacher_tokens.float(), dim=1), params)
        total = self.global_weight * parts["global"]
        if local:
            total = total + torch.stack(list(local.values())).mean()
        return {"loss": total, **parts, **local, "told_apart": told_apart}

    def _local_losses(self, student: Tensor, teacher: Tensor, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Composition and decomposition; rows of `teacher` are unit vectors."""
        fine_student, coarse_student = student.chunk(2)
        fine_teacher, coarse_teacher = (rows(tokens) for tokens in teacher.chunk(2))
        local = {}
        if self.composition is not None and self.composer is not None:
            targets = composition_targets(params["coarse_origin"], params["fine_origin"], self.view.tokens)
            local["composition"] = self.composition(coarse_teacher, self.composer(fine_student), targets)
        if self.decomposition is not None and self.decomposer is not None:
            targets = decomposition_targets(params["coarse_origin"], params["fine_origin"], self.view.tokens)
            local["decomposition"] = self.decomposition(fine_teacher, self.decomposer(coarse_student), targets)
        return local

    def _overlap(self, params: Mapping[str, Tensor]) -> Tensor:
        """Masks (2B, H, W) of the tokens whose cells both crops see, fine crops first."""
        return torch.cat(overlap_masks(params["coarse_origin"], params["fine_origin"], self.view.tokens))
