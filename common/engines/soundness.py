"""Whether a checkpoint is whole, of this collection's make, and finite."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ..files import damage
from .errors import CheckpointError

PARTS = ("network", "optimizer", "trainer", "best", "extra")
COUNTS = ("iteration", "epoch_length")
MOMENTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer")
"""What optimisers keep for each parameter, in its shape."""


class DamagedCheckpoint(CheckpointError):  # noqa: N818  (named for what it reports)
    """A file that no run can go on from; the message is the reason alone, without the file's name."""


class NoCheckpoint(DamagedCheckpoint):
    """A sound file that holds something else, such as weights alone."""


def read_checkpoint(path: Path, parts: Sequence[str] = PARTS) -> dict[str, Any]:
    """Content of a checkpoint, on the CPU.

    Args:
        path: of the file.
        parts: what it must have.

    Raises:
        DamagedCheckpoint: it is torn, holds something else, or its weights are not finite.
    """
    problem = damage(path)
    if problem is not None:
        raise DamagedCheckpoint(problem)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # PyTorch's own text advises to load it without protection
        raise DamagedCheckpoint("it holds Python objects besides tensors and plain values") from error
    except Exception as error:  # whatever a damaged file makes PyTorch's reader raise
        raise DamagedCheckpoint(str(error) or type(error).__name__) from error
    problem = _foreign(content, parts)
    if problem is not None:
        raise NoCheckpoint(problem)
    problem = _spoilt(content)
    if problem is not None:
        raise DamagedCheckpoint(problem)
    return dict(content)


def check_moments(optimizer: Optimizer) -> None:
    """Refuse moments of another shape than their parameters, which PyTorch notices only in the next step.

    Raises:
        ValueError: a shape differs.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            for name, value in optimizer.state.get(parameter, {}).items():
                if name in MOMENTS and isinstance(value, Tensor) and value.shape != parameter.shape:
                    there, here = tuple(value.shape), tuple(parameter.shape)
                    raise ValueError(f"the optimiser's {name} is {there} there, and its parameter {here} here")


def _foreign(content: Any, parts: Sequence[str]) -> str | None:
    if not isinstance(content, Mapping):
        return f"it holds a {type(content).__name__}, no checkpoint"
    lacking = [part for part in parts if not isinstance(content.get(part), Mapping)]
    if lacking:
        return f"it lacks {', '.join(lacking)}, which every checkpoint of a training has"
    counted = [isinstance(content["trainer"].get(name), int) for name in COUNTS] if "trainer" in parts else []
    return None if all(counted) else f"its trainer lacks {' or '.join(COUNTS)}"


def _spoilt(content: Mapping[str, Any]) -> str | None:
    """Which tensor has values that training cannot go on from; buffers may be infinite, as masks are."""
    for name, value in content["network"].items():
        if isinstance(value, Tensor) and bool(value.isnan().any()):
            return f"{name} holds values that are not a number"
    for index, state in content.get("optimizer", {}).get("state", {}).items():
        for name, value in state.items():
            if isinstance(value, Tensor) and not bool(value.isfinite().all()):
                return f"the optimiser's {name} of parameter {index} is not finite"
    return None
