"""Self-distillation of crops with a centred teacher.

Shapes: B images, K codes, N crops of the student, M of the teacher.
"""

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CentredDistillation(nn.Module):
    """What the forms of self-distillation share: temperatures and the centre.

    The teacher's codes are centred and sharpened, which keeps it from collapsing to one code or to a
    uniform distribution. The centre is a buffer, so that it is saved and restored with a run.

    Args:
        out_dim: K, number of codes.
        student_temperature: divides the student's codes; > 0.
        teacher_temperature: divides the centred teacher's codes; > 0, lower is sharper.
        centre_momentum: share of the old centre kept at an update, in [0, 1].

    Raises:
        ValueError: a temperature or momentum outside its range.

    Source: DINO, https://arxiv.org/abs/2104.14294.
    """

    centre: Tensor

    def __init__(
        self,
        out_dim: int,
        student_temperature: float = 0.1,
        teacher_temperature: float = 0.04,
        centre_momentum: float = 0.9,
    ):
        super().__init__()
        for key, value in (("student_temperature", student_temperature), ("teacher_temperature", teacher_temperature)):
            if value <= 0:
                raise ValueError(f"{key} is {value}; expected a number above 0, such as 0.1 or 0.04.")
        if not 0 <= centre_momentum <= 1:
            raise ValueError(f"centre_momentum is {centre_momentum}; expected a number in [0, 1], such as 0.9.")
        self.student_temperature = student_temperature
        self.teacher_temperature = teacher_temperature
        self.centre_momentum = centre_momentum
        self.register_buffer("centre", torch.zeros(1, out_dim))

    @torch.no_grad()
    def told_apart(self, teacher_NK: Tensor) -> Tensor:
        """How much the targets tell of the crops they are made from.

        It is their mutual information as a share of the most that so many crops and codes can have: 1 where each crop
        has a code of its own, 0 where all have the same target. The loss cannot say so: it is high where all codes are
        equally likely, and low where all crops have one code, since the centre lags behind a teacher that moves.

        Args:
            teacher_NK: the teacher's codes of crops of several images, before the centre is moved.

        Returns:
            scalar in [0, 1]; 0 for a single crop.
        """
        target_NK = self._target(teacher_NK)
        most = math.log(min(target_NK.shape))
        told = torch.special.entr(target_NK.mean(0)).sum() - torch.special.entr(target_NK).sum(1).mean()
        return told / most if most else torch.zeros_like(told)

    @torch.no_grad()
    def update_centre(self, teacher_NK: Tensor, gather: Callable[[Tensor], Tensor] | None = None) -> None:
        """Move the centre towards the mean of the teacher's codes; called after the loss.

        Args:
            teacher_NK: the teacher's codes of all crops of this process.
            gather: concatenates codes over processes; None in a single process.
        """
        codes_NK = teacher_NK.detach().float()
        if gather is not None:
            codes_NK = gather(codes_NK)
        self.centre.lerp_(codes_NK.mean(0, keepdim=True), 1 - self.centre_momentum)

    def _log_student(self, codes_BK: Tensor) -> Tensor:
        return F.log_softmax(codes_BK.float() / self.student_temperature, dim=-1)

    def _target(self, codes_BK: Tensor) -> Tensor:
        return F.softmax((codes_BK.detach().float() - self.centre) / self.teacher_temperature, dim=-1)


class SelfDistillation(CentredDistillation):
    """Cross-entropy between the teacher's codes of one crop and the student's codes of the other.

    Arguments and errors are those of `CentredDistillation`.

    Source: ACE supplement, global loss, https://arxiv.org/abs/2501.10131; DINO, https://arxiv.org/abs/2104.14294.

    Example:
        >>> loss, codes = SelfDistillation(out_dim=4), torch.zeros(2, 4)
        >>> round(loss(codes, codes, codes, codes).item(), 4)  # log 4
        1.3863
    """

    def forward(self, student_a_BK: Tensor, student_b_BK: Tensor, teacher_a_BK: Tensor, teacher_b_BK: Tensor) -> Tensor:
        """Mean over the batch and both pairings (teacher a, student b) and (teacher b, student a).

        Args:
            student_a_BK: student's codes of crop a.
            student_b_BK: student's codes of crop b.
            teacher_a_BK: teacher's codes of crop a; no gradient flows into them.
            teacher_b_BK: teacher's codes of crop b; no gradient flows into them.

        Returns:
            scalar.
        """
        log_student_a, log_student_b = self._log_student(student_a_BK), self._log_student(student_b_BK)
        target_a, target_b = self._target(teacher_a_BK), self._target(teacher_b_BK)
        a_to_b = -(target_a * log_student_b).sum(1)
        b_to_a = -(target_b * log_student_a).sum(1)
        return (a_to_b + b_to_a).mean() / 2


class MultiCropDistillation(CentredDistillation):
    """Cross-entropy between the teacher's codes of some crops and the student's codes of several.

    Every pair of a teacher's and a student's crop is a term, and all count the same. A crop that both have seen is not
    compared with itself: with 2 crops of the teacher among the student's 10 there are 18 terms. Arguments and errors
    are those of `CentredDistillation`.

    Source: Adam v2, https://arxiv.org/abs/2404.15672, released code (methods section 2); DINO's multi-crop loss,
    https://arxiv.org/abs/2104.14294.

    Example:
        >>> student, teacher = torch.zeros(10, 1, 8), torch.zeros(2, 1, 8)  # the teacher saw the first 2 of the 10
        >>> round(MultiCropDistillation(out_dim=8)(student, teacher, same={0: 0, 1: 1}).item(), 4)  # log 8
        2.0794
    """

    def forward(self, student_NBK: Tensor, teacher_MBK: Tensor, same: Mapping[int, int] | None = None) -> Tensor:
        """Mean over terms and batch.

        Args:
            student_NBK: student's codes of N crops of B images.
            teacher_MBK: teacher's codes of M crops, or (B, K) of a single one; no gradient flows into them.
            same: the index of a teacher's crop among the student's, where it is there too; None where none is.

        Returns:
            scalar.

        Raises:
            ValueError: other images or codes than the student's, `same` names a crop that is not there, or no term.
        """
        teacher_MBK = teacher_MBK.unsqueeze(0) if teacher_MBK.ndim == 2 else teacher_MBK
        same = dict(same or {})
        M, N = len(teacher_MBK), len(student_NBK)
        if teacher_MBK.shape[1:] != student_NBK.shape[1:] or len(same) >= M * N:
            raise ValueError(
                f"the student's codes are {tuple(student_NBK.shape)}, the teacher's {tuple(teacher_MBK.shape)}, and "
                f"{len(same)} pairs are of one crop; expected the same images and codes, and one other pair or more."
            )
        if not all(0 <= m < M and 0 <= n < N for m, n in same.items()):
            raise ValueError(f"`same` is {same}; expected indices below {M} of the teacher's and {N} of the student's.")
        log_student_NBK, target_MBK = self._log_student(student_NBK), self._target(teacher_MBK)
        every_BK = log_student_NBK.sum(0)
        terms = [
            (target_BK * (every_BK - log_student_NBK[same[m]] if m in same else every_BK)).sum(-1).mean()
            for m, target_BK in enumerate(target_MBK)
        ]
        return -torch.stack(terms).sum() / (M * N - len(same))
