"""Measure a pre-training step against the passes of its encoders alone, on the same views, in one run."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import Tensor

from ..command import read_recipe
from ..engines import whole_batch
from ..networks import Encoder
from .store import synthetic_images

Call = tuple[Encoder, Tensor, bool]
"""An encoder, the images it was given, and whether gradients were wanted."""


def measure_step(
    bundle: str,
    overlays: Sequence[str],
    batch: int,
    repeats: int = 5,
    overrides: Mapping[str, Any] | None = None,
    device: str | None = None,
) -> dict[str, Any]:
    """Time the recipe's step and the passes of its encoders in turn.

    The step is everything from a uint8 batch on: views, all networks, losses, backward, clipping, optimiser and moving
    average. The passes are read off the step itself: every call of an encoder in it, of student, teacher or online
    expert, is repeated alone on the same views, with a backward pass where the step had one. Both are measured
    alternately, so that a busy machine slows both; CPU time is given beside wall time, since other programs do not
    count in it.

    Args:
        bundle: name, such as "cxr_ace".
        overlays: of its recipe, such as ["small"].
        batch: images per step.
        repeats: pairs of measurements after one that warms up.
        overrides: values by key.
        device: None takes the recipe's.

    Returns:
        Seconds, the ratio of medians, images per second, calls of encoders and, on a GPU, peak memory.
    """
    with tempfile.TemporaryDirectory() as scratch:
        parser = _recipe(bundle, overlays, batch, Path(scratch), dict(overrides or {}), device)
        place, dtype = parser.get_parsed_content("device"), parser.get_parsed_content("amp_dtype")
        method = parser.get_parsed_content("method").to(place).train()
        optimizer = parser.get_parsed_content("optimizer")
        clip = parser.get_parsed_content("train#trainer").clip
        inputs, _ = whole_batch(next(iter(parser.get_parsed_content("train#dataloader"))), place)

    def step() -> None:
        with torch.autocast(place.type, dtype, enabled=dtype is not None):
            loss = method(inputs)["loss"]
        loss.backward()
        if clip is not None:
            clip(parameter for group in optimizer.param_groups for parameter in group["params"])
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if hasattr(method, "update_teacher"):
            method.update_teacher(0.99)

    step()  # a cache of an expert fills in the first one
    with _recorded() as calls:
        step()

    def passes() -> None:
        results = []
        with torch.autocast(place.type, dtype, enabled=dtype is not None):
            for encoder, images, with_gradient in calls:
                with torch.set_grad_enabled(with_gradient):
                    encoding = encoder.encode(images)
                if with_gradient:
                    results.append(encoding.tokens.float().mean() + encoding.embedding.float().mean())
        torch.stack(results).sum().backward()
        optimizer.zero_grad(set_to_none=True)

    if place.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times = [(timed(passes, place), timed(step, place)) for _ in range(repeats + 1)][1:]
    wall = [statistics.median(pair[i][0] for pair in times) for i in (0, 1)]
    cpu = [statistics.median(pair[i][1] for pair in times) for i in (0, 1)]
    result = {
        "recipe": f"{bundle}: " + "+".join(["train", *overlays]),
        "batch": batch,
        "device": torch.cuda.get_device_name() if place.type == "cuda" else f"CPU, {torch.get_num_threads()} threads",
        "encoder_calls": ", ".join(f"{len(images)} x {images.shape[-1]} px" for _, images, _ in calls),
        "encoder_passes_s": wall[0],
        "step_s": wall[1],
        "step_to_passes": wall[1] / wall[0],
        "step_to_passes_by_cpu_time": cpu[1] / cpu[0],
        "images_per_second": batch / wall[1],
    }
    if place.type == "cuda":
        result["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    return result


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
def _recorded() -> Iterator[list[Call]]:
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


def timed(work: Callable[[], None], place: torch.device) -> tuple[float, float]:
    """Wall and CPU seconds of one call."""
    if place.type == "cuda":
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    if place.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - cpu
