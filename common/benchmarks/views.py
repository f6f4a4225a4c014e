"""Measure each change of intensities alone, which one is dear, on the batch of a step."""

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..networks import accelerated, build_encoder
from ..views import Photometric
from ..views.photometric import adjust, apply_where, blur, equalise, sharpen
from .step import timed

STRONGEST = {"contrast": 1.2, "brightness": 0.2, "blur": 7.0, "alpha": 0.5, "lightness": 1.0, "limit": 4.0}


def measure_views(batch: int = 64, size: int = 224, repeats: int = 5, device: str | None = None) -> dict[str, Any]:
    """Time each operation on every image of a batch, and all of them as they are drawn, in turn in one run.

    They are given beside a forward and backward pass of a ResNet-50 over the same batch, which is what a step of Adam,
    SRHRS or Adam v2 does for each of its views.

    Args:
        batch: images, grey.
        size: rows and columns, pixels.
        repeats: rounds after one that warms up.
        device: None takes a GPU where there is one.

    Returns:
        Median seconds of the pass, and each operation's share of it by wall and by CPU time; `drawn` is all four with
        the probabilities of a recipe, `clahe_drawn` CLAHE alone with its own.
    """
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(batch, 1, size, size, generator=generator).to(place)
    full = {name: torch.full((batch,), value, device=place) for name, value in STRONGEST.items()}
    photometric = Photometric()
    drawn = [photometric.sample(generator) for _ in range(batch)]
    params = {name: torch.stack([one[name] for one in drawn]).to(place) for name in drawn[0]}
    encoder = accelerated(build_encoder("resnet50", image_size=size, in_channels=1), channels_last=True).to(place)

    def encoded() -> None:
        with torch.autocast(place.type, torch.bfloat16, enabled=place.type == "cuda"):
            encoder.encode(images).embedding.float().mean().backward()
        encoder.zero_grad(set_to_none=True)

    limits, tiles = params["clahe_limit"], photometric.clahe_tiles
    ways: dict[str, Callable[[], Tensor | None]] = {
        "pass": encoded,
        "brightness_contrast": partial(adjust, images, full["contrast"], full["brightness"]),
        "blur": partial(blur, images, full["blur"], largest=max(photometric.blur_sizes)),
        "sharpen": partial(sharpen, images, full["alpha"], full["lightness"]),
        "clahe": partial(equalise, images, full["limit"], tiles=tiles),
        "clahe_drawn": partial(apply_where, limits > 0, equalise, images, limits, tiles=tiles),
        "drawn": partial(photometric.apply, images, params),
    }
    rounds = [{name: timed(way, place) for name, way in ways.items()} for _ in range(repeats + 1)][1:]
    wall, cpu = ({name: statistics.median(r[name][i] for r in rounds) for name in ways} for i in (0, 1))
    result: dict[str, Any] = {
        "batch": batch,
        "size": size,
        "device": torch.cuda.get_device_name() if place.type == "cuda" else f"CPU, {torch.get_num_threads()} threads",
        "pass_s": wall["pass"],
    }
    result |= {f"{name}_to_pass": wall[name] / wall["pass"] for name in ways if name != "pass"}
    return result | {f"{name}_to_pass_by_cpu_time": cpu[name] / cpu["pass"] for name in ways if name != "pass"}
