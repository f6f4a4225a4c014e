"""Count the operations of a pre-training step, and those for whose result the host would wait.

A small step on a GPU is as slow as the host can launch its kernels, and a result that the host reads stops it until
the GPU has caught up. Both can be counted on any machine: every operation that computes something is dispatched once,
whatever device it runs on.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ..networks import Encoder
from .one_step import OneStep, one_step

PARTS = ("views", "encoders", "heads_and_losses", "backward", "rest")
PART_OF = {"forward": "heads_and_losses", "backward": "backward"}  # clipping, optimiser and average are the rest
WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal", "repeat_interleave")
"""Operations whose result, or its size, the host reads."""
SHAPES = """
_reshape_alias _unsafe_view alias as_strided chunk detach diagonal expand lift_fresh narrow permute reshape select slice
split split_with_sizes squeeze t transpose unbind unfold unsqueeze view view_as_real
"""
MEMORY = "empty empty_like empty_strided new_empty _record_function_enter_new _record_function_exit"
WITHOUT_KERNEL = frozenset(f"{SHAPES} {MEMORY}".split())
"""Operations that give another shape to memory that is there, or take memory."""


class Launches(TorchDispatchMode):
    """Counts operations by part while it is entered.

    Attributes:
        part: to which what is dispatched now belongs.
        launched: operations that compute something, by part.
        waits: operations for whose result the host waits, by part.
    """

    def __init__(self) -> None:
        super().__init__()
        self.part = "rest"
        self.launched: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Count one operation and run it."""
        name = function.overloadpacket.__name__
        self.launched[self.part] += name not in WITHOUT_KERNEL
        self.waits[self.part] += name in WAITS or (name == "index" and _by_mask(args[1]))
        return function(*args, **(kwargs or {}))

    @contextmanager
    def within(self, part: str) -> Iterator[None]:
        """Count what happens in the block for another part."""
        before, self.part = self.part, part
        try:
            yield
        finally:
            self.part = before


def measure_launches(
    bundle: str,
    overlays: Sequence[str],
    batch: int = 32,
    overrides: Mapping[str, Any] | None = None,
    mixed_precision: bool = False,
) -> dict[str, Any]:
    """Count the operations of one step of a recipe.

    Args:
        bundle: name, such as "cxr_ace".
        overlays: of its recipe, such as ["small"].
        batch: images per step; enough that every change of intensities is drawn for one of them.
        overrides: values by key.
        mixed_precision: in bfloat16; a CPU's autocast casts other operations than a GPU's.

    Returns:
        operations and waits by part, and their sums.
    """
    precision = torch.bfloat16 if mixed_precision else None
    step = one_step(bundle, overlays, batch, {**(overrides or {}), "amp_dtype": precision})
    step()  # what is made once is made here
    counts = count(step)
    return {
        "recipe": f"{bundle}: " + "+".join(["train", *overlays]),
        "mixed_precision": mixed_precision,
        "launches": counts.launched.total(),
        "waits": counts.waits.total(),
        **{f"{part}_launches": counts.launched[part] for part in PARTS},
        **{f"{part}_waits": counts.waits[part] for part in PARTS if counts.waits[part]},
    }


def count(step: OneStep) -> Launches:
    """Operations of one step by part."""
    launches = Launches()

    def entered(part: str) -> None:
        launches.part = PART_OF.get(part, "rest")

    views, encoders = (step.method.view, "render", "views"), (Encoder, "encode", "encoders")
    with _counted(launches, *views), _counted(launches, *encoders), launches:
        step(entered)
    return launches


@contextmanager
def _counted(launches: Launches, owner: Any, name: str, part: str) -> Iterator[None]:
    """Count a function's operations for a part while the block lasts."""
    plain: Callable[..., Any] = getattr(owner, name)

    def counting(*args: Any, **kwargs: Any) -> Any:
        with launches.within(part):
            return plain(*args, **kwargs)

    setattr(owner, name, counting)
    try:
        yield
    finally:
        if isinstance(owner, type):
            setattr(owner, name, plain)
        else:
            delattr(owner, name)


def _by_mask(indices: Sequence[Tensor | None]) -> bool:
    """Whether a tensor is indexed by a mask, whose number of elements the host must know."""
    return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in indices)
