"""Self-distillation of crops with a centred teacher.

Shapes: B images, K codes, N crops of the student.
"""

from collections.abc import Callable

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

    Source: DINO.
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
        return F.softmax((codes_BK.detach().float() - self.centre) / self.teacher_temperature, dim=1)


class SelfDistillation(CentredDistillation):
    """Cross-entropy between the teacher's codes of one crop and the student's codes of the other.

    Arguments and errors are those of `CentredDistillation`.

    Source: ACE supplement, global loss; DINO.
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
    """Cross-entropy between the teacher's codes of one crop and the student's codes of several others.

    Every student crop counts the same, and none is left out: the teacher's crop is not among them. Arguments and errors
    are those of `CentredDistillation`.

    Source: Adam v2, released code (methods section 2); DINO's multi-crop loss.
    """

    def forward(self, student_NBK: Tensor, teacher_BK: Tensor) -> Tensor:
        """Mean over the student's crops and the batch.

        Args:
            student_NBK: student's codes of N crops of B images.
            teacher_BK: teacher's codes of another crop; no gradient flows into them.

        Returns:
            scalar.
        """
        return -(self._target(teacher_BK) * self._log_student(student_NBK)).sum(-1).mean()
