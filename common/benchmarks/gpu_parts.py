"""What only a card can show of the recipes, in parts of a minute or so, the most telling first."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from .ct import PAPER_CROP, measure_head
from .loop import measure_loop
from .one_step import one_step
from .parts import METHODS, PAPER_CT_BATCHES
from .step import measure_step
from .store import synthetic_images
from .views import measure_views

Result = dict[str, Any]
CARD_BATCHES = {"cxr_ace": 64, "cxr_adam": 256, "cxr_srhrs": 64, "cxr_leader": 128, "cxr_adam_v2": 64}
"""Images per step on one card; the papers' own, or fewer; ACE takes 85 GiB."""


@dataclass(frozen=True)
class Sizes:
    """How large everything is.

    Args:
        overlays: of each recipe; none is the paper's size.
        batches: images per step by bundle, the bundles that are measured.
        volumes: per step of CT diagnosis by backbone, the backbones that are measured.
        repeats: pairs of measurements of a step.
        steps: of the curves of two precisions, and iterations of the full loop.
        compile: measure compiled encoders too, whose first steps take minutes.
        small: measure the small presets and the views too.
    """

    overlays: tuple[str, ...] = ()
    batches: Mapping[str, int] = field(default_factory=lambda: CARD_BATCHES)
    volumes: Mapping[str, int] = field(
        default_factory=lambda: {name: few for name, (few, _) in PAPER_CT_BATCHES.items()}
    )
    repeats: int = 5
    steps: int = 40
    compile: bool = True
    small: bool = True


TINY = Sizes(("smoke",), {"cxr_ace": 4}, {}, repeats=1, steps=3, compile=False, small=False)
"""To see on a CPU that everything runs."""


@dataclass(frozen=True)
class Part:
    """One measurement.

    Args:
        name: by which it is remembered.
        seconds: that it takes on a card, about; it is begun where so many are left.
        measure: makes it.
    """

    name: str
    seconds: float
    measure: Callable[[], Result]


def parts(sizes: Sizes) -> list[Part]:
    """All measurements, the most telling first."""
    bundles = list(sizes.batches)
    found = [Part(f"step {bundle}", 40, partial(step, bundle, sizes)) for bundle in bundles]
    if sizes.compile:
        found += [Part(f"compiled {bundle}", 120, partial(step, bundle, sizes, compile=True)) for bundle in bundles]
    first = bundles[0]
    return [
        *found,
        Part(f"loop {first}", 60, partial(loop, first, sizes)),
        Part(f"precision {first}", 60, partial(precision, first, sizes)),
        Part(f"kill {first}", 90, partial(kill_and_resume, first)),
        *(
            Part(f"second task {name}", 40, partial(measure_head, name, PAPER_CROP, batch))
            for name, batch in sizes.volumes.items()
        ),
        *([Part("views", 20, measure_views)] if sizes.small else []),
        *(Part(f"small step {bundle}", 30, partial(small_step, bundle, sizes)) for bundle in bundles if sizes.small),
    ]


def step(bundle: str, sizes: Sizes, **overrides: Any) -> Result:
    """A step against the passes of its encoders."""
    return measure_step(bundle, sizes.overlays, sizes.batches[bundle], sizes.repeats, {**METHODS[bundle], **overrides})


def small_step(bundle: str, sizes: Sizes) -> Result:
    """The small preset's step, which launches more than it computes."""
    return measure_step(bundle, ["small"], 32, sizes.repeats, METHODS[bundle])


def loop(bundle: str, sizes: Sizes) -> Result:
    """Images per second of a training with its loader, and the share of its time that waits for data."""
    batch = sizes.batches[bundle]
    overrides = {"batch_size": batch, **METHODS[bundle]}
    return measure_loop(bundle, sizes.overlays, images=batch * sizes.steps, epochs=2, overrides=overrides)


def precision(bundle: str, sizes: Sizes) -> Result:
    """Losses of a run in bfloat16 beside those in float32, of the same weights and batch."""
    curves: dict[str, list[float]] = {}
    for name in ("float32", "bfloat16"):
        dtype = None if name == "float32" else "$torch.bfloat16"
        overrides = {**METHODS[bundle], "amp_dtype": dtype}
        made = one_step(bundle, sizes.overlays, sizes.batches[bundle], overrides)
        curves[name] = []
        for number in range(sizes.steps):
            torch.manual_seed(number)
            curves[name].append(round(made().item(), 4))
    apart = max(abs(a - b) / max(abs(a), 1e-6) for a, b in zip(*curves.values(), strict=True))
    return {"largest_relative_difference": apart, **{f"loss_{name}": curve for name, curve in curves.items()}}


def kill_and_resume(bundle: str) -> Result:
    """Weights of a short run that was killed and went on, against those of one that was not."""
    with tempfile.TemporaryDirectory() as scratch:
        images = Path(scratch) / "images"
        images.mkdir()
        synthetic_images(images, 16, size=200)
        whole, killed = (Path(scratch) / name for name in ("whole", "killed"))
        _wait(_started(bundle, images, whole))
        run = _started(bundle, images, killed)
        while run.poll() is None and not _checkpoints(killed):
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
        run.wait()
        at = [int(path.stem.partition("-")[2]) for path in _checkpoints(killed)]
        _wait(_started(bundle, images, killed))
        ends = [
            torch.load(_checkpoints(root)[-1], map_location="cpu", weights_only=True)["network"]
            for root in (whole, killed)
        ]
    apart = max(float((ends[0][name].double() - ends[1][name].double()).abs().max()) for name in ends[0])
    return {"killed_after_iteration": max(at, default=0), "largest_difference_of_weights": apart}


def _started(bundle: str, images: Path, root: Path) -> subprocess.Popen:
    configs = [f"bundles/{bundle}/configs/{name}.yaml" for name in ("train", "smoke")]
    data = {"dataset": "folder", "dataset_dir": images, "probe_dataset": "folder", "probe_dir": images}
    options = {"bundle_root": f"bundles/{bundle}", "output_root": root, "run_name": "run", **data}
    options["checkpoints#every_iterations"] = 1
    words = [str(word) for key, value in options.items() for word in (f"--{key}", value)]
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(configs), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _wait(run: subprocess.Popen) -> None:
    said, _ = run.communicate()
    if run.returncode:
        raise RuntimeError(f"the run ended with {run.returncode}: {said[-500:]}")


def _checkpoints(root: Path) -> list[Path]:
    return sorted(root.glob("*/run/checkpoints/iteration-*.pt"))
