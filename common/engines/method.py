"""What a pre-training bundle trains."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

if TYPE_CHECKING:  # an exported bundle that trains no encoder does without them
    from ..networks import Encoder


class Method(Protocol):
    """A training module that computes its own losses: a view, heads and losses behind one call.

    In evaluation mode a call leaves teacher, memory bank, centre and running statistics as they are (methods B9).
    """

    training: bool

    @property
    def transferred_encoder(self) -> "Encoder":
        """The encoder that other tasks begin with."""
        ...

    def __call__(self, batch: Mapping[str, Any], /) -> Mapping[str, Tensor]:
        """Losses by name of a batch with `image` and `view`, its sampled parameters; `loss` is the total."""
        ...

    def train(self, mode: bool = True, /) -> Any:
        """Switch to training mode, or out of it."""
        ...

    def eval(self) -> Any:
        """Switch to evaluation mode."""
        ...


class MethodWithTeacher(Method, Protocol):
    """A method whose teacher follows its student, as `common.teachers.StudentTeacher`."""

    def update_teacher(self, momentum: float) -> None:
        """Move the teacher towards the student; called after each optimiser step."""
        ...
