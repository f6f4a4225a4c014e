"""A teacher whose weights follow a student's by exponential moving average."""

import copy
from typing import Any

import torch
from torch import nn

from ..networks import CastWeights


class MomentumTeacher(nn.Module):
    """An exponential moving average of a student, called like the student and without gradient.

    Parameters are matched by name, since matching by position silently truncates when one side has
    more modules (ACE, discrepancy A9). Buffers (running statistics) are copied. The copy runs in
    evaluation mode, so it has no dropout and no stochastic depth; batch norm layers alone keep using
    the statistics of the batch in training, as the student's do (ACE, A29).

    Args:
        student: module to follow; it is deep-copied once and not kept.
        copy_buffers: False leaves the buffers to the teacher's own forward passes, as MoCo and SRHRS do: where the
            teacher sees other views than the student, the student's running statistics do not fit its weights.

    Example:
        >>> student = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.constant_(student.weight, 0.0)
        >>> teacher = MomentumTeacher(student)
        >>> _ = nn.init.constant_(student.weight, 1.0)  # what the optimiser did
        >>> teacher.update(student, momentum=0.75)
        >>> teacher(torch.ones(1, 1)).item()
        0.25
    """

    def __init__(self, student: nn.Module, copy_buffers: bool = True):
        super().__init__()
        self.copy_buffers = copy_buffers
        self.network = copy.deepcopy(student).requires_grad_(False)
        self._cast_weights = CastWeights(self.network)
        self.train(student.training)

    def train(self, mode: bool = True) -> "MomentumTeacher":
        """Switch batch norm layers only; everything else stays in evaluation mode."""
        self.training = mode
        self.network.eval()
        for module in self.network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.train(mode)
        return self

    @torch.no_grad()
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the averaged network; the result carries no gradient.

        Raises:
            ValueError: somebody made a parameter trainable.
        """
        self._check_frozen()
        with self._cast_weights.in_use():
            return self.network(*args, **kwargs)

    @torch.no_grad()
    def update(self, student: nn.Module, momentum: float) -> None:
        """Move the teacher towards the student: theta_T <- m theta_T + (1 - m) theta_S.

        Call it after the optimiser's step.

        Args:
            student: the module given at construction, after its step.
            momentum: m in [0, 1]; 1 leaves the teacher as it is.

        Raises:
            KeyError: the student lacks one of the teacher's parameters or buffers.
        """
        followed = dict(student.named_parameters())
        names, targets = zip(*self.network.named_parameters(), strict=True)
        sources = [followed[name].detach() for name in names]
        torch._foreach_lerp_(list(targets), sources, 1.0 - momentum)
        if not self.copy_buffers:
            return
        buffers, own = dict(student.named_buffers()), dict(self.network.named_buffers())
        for dtype in {buffer.dtype: None for buffer in own.values()}:  # a call for all of a type: they are dozens
            alike = [name for name, buffer in own.items() if buffer.dtype == dtype]
            torch._foreach_copy_([own[name] for name in alike], [buffers[name] for name in alike])

    def _check_frozen(self) -> None:
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                raise ValueError(
                    f"the teacher's {name} requires a gradient, but a teacher only follows the student's moving "
                    "average; call requires_grad_(False) on the teacher before the optimiser is made."
                )
