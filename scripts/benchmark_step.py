"""Measure ACE's training step against the passes of its encoder alone, on the same crops, in one run.

python scripts/benchmark_step.py [--overlay small] [--batch 32] [--repeats 5]
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from monai.bundle import ConfigParser

CONFIGS = "bundles/cxr_ace/configs"


def measure_step(overlays: list[str], batch: int, repeats: int = 5, device: str | None = None) -> dict[str, Any]:
    """Time the recipe's step and the encoder's passes in turn.

    The step is everything from a uint8 batch on: views, both networks, losses, backward, clipping, optimiser and
    moving average. The passes are the student encoder's forward and backward and the teacher encoder's forward.
    Both are measured alternately, so that a busy machine slows both; CPU time is given beside wall time, since
    other programs do not count in it.

    Args:
        overlays: of the ACE recipe, such as ["small"].
        batch: images per step.
        repeats: pairs of measurements after one that warms up.
        device: None takes the recipe's.

    Returns:
        Seconds, the ratio of medians, images per second and, on a GPU, peak memory.
    """
    parser = ConfigParser()
    parser.read_config([f"{CONFIGS}/train.yaml", *(f"{CONFIGS}/{overlay}.yaml" for overlay in overlays)])
    parser["batch_size"] = batch
    if device is not None:
        parser["device"] = f"$torch.device('{device}')"
    parser.get_parsed_content("initialize", instantiate=False)
    place, dtype = parser.get_parsed_content("device"), parser.get_parsed_content("amp_dtype")
    method = parser.get_parsed_content("method").to(place).train()
    optimizer, clip = parser.get_parsed_content("optimizer"), parser.get_parsed_content("train#trainer#clip")
    size = parser.get_parsed_content("store_size")
    images = torch.randint(0, 256, (batch, parser["channels"], size, size), dtype=torch.uint8).to(place)
    draws = [method.view.sample(torch.Generator().manual_seed(i), (size, size)) for i in range(batch)]
    view = {key: torch.stack([draw[key] for draw in draws]).to(place) for key in draws[0]}
    crops = torch.cat(list(method.view.render(images, view).values()))

    def step() -> None:
        with torch.autocast(place.type, dtype, enabled=dtype is not None):
            loss = method({"image": images, "view": view})["loss"]
        loss.backward()
        clip(parameter for group in optimizer.param_groups for parameter in group["params"])
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        method.update_teacher(0.99)

    def passes() -> None:
        with torch.autocast(place.type, dtype, enabled=dtype is not None):
            encoding = method.student.encoder.encode(crops)
            with torch.no_grad():
                method.teacher.network.encoder.encode(crops)
        (encoding.tokens.float().mean() + encoding.embedding.float().mean()).backward()
        method.student.encoder.zero_grad(set_to_none=True)

    times = [(_timed(passes, place), _timed(step, place)) for _ in range(repeats + 1)][1:]
    wall = [statistics.median(pair[i][0] for pair in times) for i in (0, 1)]
    cpu = [statistics.median(pair[i][1] for pair in times) for i in (0, 1)]
    result = {
        "recipe": "+".join(["train", *overlays]),
        "batch": batch,
        "device": torch.cuda.get_device_name() if place.type == "cuda" else f"CPU, {torch.get_num_threads()} threads",
        "encoder_passes_s": wall[0],
        "step_s": wall[1],
        "step_to_passes": wall[1] / wall[0],
        "step_to_passes_by_cpu_time": cpu[1] / cpu[0],
        "images_per_second": batch / wall[1],
    }
    if place.type == "cuda":
        result["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    return result


def _timed(work: Callable[[], None], place: torch.device) -> tuple[float, float]:
    """Wall and CPU seconds of one call."""
    if place.type == "cuda":
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    if place.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--overlay", action="append", default=[], help="of the ACE recipe; none is the paper's size")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    result = measure_step(arguments.overlay, arguments.batch, arguments.repeats)
    print(json.dumps({key: round(value, 3) if isinstance(value, float) else value for key, value in result.items()}))


if __name__ == "__main__":
    main()
