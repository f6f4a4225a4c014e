"""The base of methods whose teacher follows their student."""

from typing import cast

from torch import nn

from ..networks import Encoder
from .momentum import MomentumTeacher


class StudentTeacher(nn.Module):
    """A student, and a teacher that is its moving average; a method adds its view, heads and losses.

    Args:
        student: the encoder, as its `encoder`, and the heads that the teacher has too; the teacher starts as its copy.
        copy_buffers: see `MomentumTeacher`.

    Example:
        >>> import torch
        >>> method = StudentTeacher(nn.Linear(1, 1, bias=False))
        >>> _ = nn.init.constant_(method.student.weight, 2.0), nn.init.constant_(method.teacher.network.weight, 0.0)
        >>> method.update_teacher(momentum=0.5)
        >>> method.teacher(torch.ones(1, 1)).item()
        1.0
    """

    def __init__(self, student: nn.Module, copy_buffers: bool = True):
        super().__init__()
        self.student = student
        self.teacher = MomentumTeacher(student, copy_buffers)

    @property
    def transferred_encoder(self) -> Encoder:
        """The encoder that other tasks begin with: the teacher's, unless a method says otherwise."""
        return cast(Encoder, self.teacher.network.encoder)

    def update_teacher(self, momentum: float) -> None:
        """Move the teacher towards the student; called after each optimiser step."""
        self.teacher.update(self.student, momentum)
