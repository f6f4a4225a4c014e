"""One pre-training step of a recipe over made-up images, in parts that a benchmark can look at by themselves."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import Tensor, nn
from torch.optim import Optimizer

from ..command import read_recipe
from ..engines import ClipGradients, whole_batch
from ..networks import Encoder
from .store import synthetic_images

Call = tuple[Encoder, Tensor, bool]
"""An encoder, the images it was given, and whether gradients were wanted."""


@dataclass(frozen=True)
class OneStep:
    """Everything from a uint8 batch on: views, all networks, losses, backward, clipping, optimiser and moving average.

    Args:
        method: in training mode, on the device.
        optimizer: of its parameters.
        clip: of their gradients; None clips nothing.
        inputs: the batch, on the device.
        device: of both.
        amp_dtype: of mixed precision, or None.
    """

    method: nn.Module
    optimizer: Optimizer
    clip: ClipGradients | None
    inputs: Any
    device: torch.device
    amp_dtype: torch.dtype | None

    def __call__(self, entered: Callable[[str], None] = lambda part: None) -> Tensor:
        """Make the step, and return its loss.

        Args:
            entered: is told each part as it begins: "forward", "backward", "clip", "optimizer", "average".
        """
        entered("forward")
        with self.autocast():
            loss = self.method(self.inputs)["loss"]
        entered("backward")
        loss.backward()
        entered("clip")
        if self.clip is not None:
            self.clip(parameter for group in self.optimizer.param_groups for parameter in group["params"])
        entered("optimizer")
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        entered("average")
        update_teacher: Callable[[float], None] | None = getattr(self.method, "update_teacher", None)
        if update_teacher is not None:
            update_teacher(0.99)
        return loss.detach()

    def autocast(self) -> torch.autocast:
        """The recipe's mixed precision."""
        return torch.autocast(self.device.type, self.amp_dtype, enabled=self.amp_dtype is not None)


def one_step(
    bundle: str,
    overlays: Sequence[str],
    batch: int,
    overrides: Mapping[str, Any] | None = None,
    device: str | None = None,
) -> OneStep:
    """The step of a recipe.

    Args:
        bundle: name, such as "cxr_ace".
        overlays: of its recipe, such as ["small"].
        batch: images per step.
        overrides: values by key.
        device: None takes the recipe's.
    """
    with tempfile.TemporaryDirectory() as scratch:
        parser = _recipe(bundle, overlays, batch, Path(scratch), dict(overrides or {}), device)
        place, dtype = parser.get_parsed_content("device"), parser.get_parsed_content("amp_dtype")
        method = parser.get_parsed_content("method").to(place).train()
        optimizer = parser.get_parsed_content("optimizer")
        clip = parser.get_parsed_content("train#trainer").clip
        inputs, _ = whole_batch(next(iter(parser.get_parsed_content("train#dataloader"))), place)
    return OneStep(method, optimizer, clip, inputs, place, dtype)


def _recipe(
    bundle: str, overlays: Sequence[str], batch: int, scratch: Path, overrides: dict[str, Any], device: str | None
) -> ConfigParser:
    """The bundle's recipe over a batch of made-up images."""
    configs = Path("bundles") / bundle / "configs"
    parser = read_recipe(*(configs / f"{name}.yaml" for name in ("train", *overlays)))
    (scratch / "images").mkdir()
    synthetic_images(scratch / "images", 2 * batch, size=int(parser["store_size"]))
    folder, options = str(scratch / "images"), {"val_fraction": 0.1, "test_fraction": 0.1}
    data = {"dataset": "folder", "dataset_dir": folder, "dataset_options": options}
    data |= {"probe_dataset": "folder", "probe_dir": folder, "probe_options": options}
    parser.update({**data, "output_root": str(scratch), "num_workers": 0, "batch_size": batch, **overrides})
    parser.update({"train#trainer#train_handlers": None})
    if device is not None:
        parser["device"] = f"$torch.device('{device}')"
    parser.get_parsed_content("initialize", instantiate=False)
    return parser


@contextmanager
def encoder_calls() -> Iterator[list[Call]]:
    """Collect every call of an encoder while the block lasts."""
    calls: list[Call] = []
    plain = Encoder.encode

    def recording(self: Encoder, images: Tensor) -> Any:
        trained = any(parameter.requires_grad for parameter in self.parameters())
        calls.append((self, images.detach(), trained and torch.is_grad_enabled()))
        return plain(self, images)

    Encoder.encode = recording  # type: ignore[method-assign]
    try:
        yield calls
    finally:
        Encoder.encode = plain  # type: ignore[method-assign]
