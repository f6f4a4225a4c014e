"""Measure a pre-training step against the passes of its encoders alone, on the same views, in one run."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from .one_step import encoder_calls, one_step


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
    step = one_step(bundle, overlays, batch, overrides, device)
    step()  # a cache of an expert fills in the first one
    with encoder_calls() as calls:
        step()

    def passes() -> None:
        results = []
        with step.autocast():
            for encoder, images, with_gradient in calls:
                with torch.set_grad_enabled(with_gradient):
                    encoding = encoder.encode(images)
                if with_gradient:
                    results.append(encoding.tokens.float().mean() + encoding.embedding.float().mean())
        torch.stack(results).sum().backward()
        step.optimizer.zero_grad(set_to_none=True)

    place = step.device
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


def timed(work: Callable[[], object], place: torch.device) -> tuple[float, float]:
    """Wall and CPU seconds of one call."""
    if place.type == "cuda":
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    if place.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - cpu
