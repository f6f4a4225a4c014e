"""Measure what CT diagnosis adds: the second task to a step, preparing to reading, the cache to an epoch."""

import statistics
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
from monai.bundle import ConfigParser
from torch import nn

from ..command import read_recipe
from ..engines import ClipGradients
from ..losses import LabelLoss, LabelMapLoss, MultitaskLoss
from ..phantom.ct import write_ct_rate
from ..volumes import Preparation
from ..volumes.entries import prepare_entry
from ..volumes.resample import resample, resampled_grid
from ..volumes.task import Task
from ..volumes.volume import Grid
from .step import timed

BUNDLE = Path("bundles/ct_diagnosis_classification")
FINDINGS, STRUCTURES = 18, 7  # the recipe's: CT-RATE's labels; five lobes, heart and background
PAPER_CROP, PAPER_ABDOMEN_CROP = (96, 192, 192), (160, 176, 192)
WHOLE = (150, 384, 384)  # voxels of the volume that is prepared
ARMS = ("labels", "organs")
ORGANS = ("lung_upper_lobe_left", "heart")


def measure_head(
    architecture: str, crop: tuple[int, ...], batch: int, repeats: int = 3, device: str | None = None
) -> dict[str, Any]:
    """Time a step with and without segmentation, and inference of what either leaves, alternately in one run.

    A step is forward, losses, backward, clipping and optimiser, in the recipe's memory format; on a GPU in bf16.

    Args:
        architecture: of the backbone.
        crop: voxels (D, H, W).
        batch: volumes per step.
        repeats: pairs of measurements after one that warms up.
        device: None takes a GPU where there is one.

    Returns:
        Median seconds, their ratios by wall and CPU time, whether the traced graphs are the same, and on a GPU the
        peak memory of a step without masks and with them.
    """
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    layout = _recipe({"architecture": architecture}).get_parsed_content("memory_format")
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, 1, *crop, generator=generator).to(place, memory_format=layout)
    targets = {
        "label": torch.randint(0, 2, (batch, FINDINGS), generator=generator).float().to(place),
        "mask": torch.randint(0, STRUCTURES, (batch, 1, *crop), generator=generator, dtype=torch.uint8).to(place),
    }

    def network(segment: bool) -> nn.Module:
        parser = _recipe({"architecture": architecture, "crop_size": list(crop), "segment": segment})
        torch.manual_seed(0)
        return parser.get_parsed_content("training_network").to(place, memory_format=layout)

    losses = {name: MultitaskLoss(LabelLoss(), LabelMapLoss() if name == "organs" else None) for name in ARMS}
    clip = ClipGradients(5.0)

    def one_step(name: str, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        net.train()
        with torch.autocast(place.type, torch.bfloat16, enabled=place.type == "cuda"):
            loss = losses[name](net(images), targets)["loss"]
        loss.backward()
        clip(net.parameters())
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def adamw(net: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(net.parameters(), lr=1e-4)

    # Before both arms lie in memory together.
    peaks = {name: _peak_gib(one_step, name, network, adamw) for name in ARMS} if place.type == "cuda" else {}
    networks = {name: network(name == "organs") for name in ARMS}
    optimizers = {name: adamw(net) for name, net in networks.items()}

    def step(name: str) -> None:
        one_step(name, networks[name], optimizers[name])

    kept: dict[str, nn.Module] = {"labels": networks["labels"], "organs": networks["organs"].get_submodule("network")}

    def infer(name: str) -> None:
        with torch.inference_mode(), torch.autocast(place.type, torch.bfloat16, enabled=place.type == "cuda"):
            kept[name].eval()(images)

    def alternately(work: Callable[[str], None]) -> dict[str, tuple[float, float]]:
        rounds = [{name: timed(partial(work, name), place) for name in kept} for _ in range(repeats + 1)][1:]
        return {name: tuple(statistics.median(r[name][i] for r in rounds) for i in (0, 1)) for name in kept}  # type: ignore[misc]

    steps, inference = alternately(step), alternately(infer)
    graphs = [torch.jit.trace(net.eval(), images, check_trace=False).inlined_graph for net in kept.values()]
    kinds = [[node.kind() for node in graph.nodes()] for graph in graphs]
    result = {
        "architecture": architecture,
        "crop": " x ".join(map(str, crop)),
        "batch": batch,
        "device": torch.cuda.get_device_name() if place.type == "cuda" else f"CPU, {torch.get_num_threads()} threads",
        "step_s": steps["labels"][0],
        "step_with_masks_to_without": steps["organs"][0] / steps["labels"][0],
        "step_with_masks_to_without_by_cpu_time": steps["organs"][1] / steps["labels"][1],
        "inference_with_masks_to_without": inference["organs"][0] / inference["labels"][0],
        "same_inference_graph": kinds[0] == kinds[1],
    }
    return result | {f"peak_gib_{name}": value for name, value in peaks.items()}


def _peak_gib(
    step: Callable[[str, nn.Module, torch.optim.Optimizer], None],
    name: str,
    network: Callable[[bool], nn.Module],
    optimizer: Callable[[nn.Module], torch.optim.Optimizer],
) -> float:
    """GiB on the GPU in the second step of one arm, with its optimiser's state and nothing of the other arm."""
    torch.cuda.empty_cache()
    net = network(name == "organs")
    state = optimizer(net)
    step(name, net, state)
    torch.cuda.reset_peak_memory_stats()
    step(name, net, state)
    return torch.cuda.max_memory_allocated() / 2**30


def measure_preparation(repeats: int = 5) -> dict[str, Any]:
    """Time preparing a volume and its mask for the cache against reading and resampling them alone.

    The rest is orientation, checks of geometry and values, names of labels, hashing the files and writing the entry.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        image, mask = _volume(folder)
        preparation = Preparation(structures=ORGANS, label_table="v2")
        grid = Grid(WHOLE, (2.0, 1.0, 1.0), (0.0, 0.0, 0.0))
        onto = resampled_grid(grid, preparation.spacing)

        def alone() -> None:
            for path, order in ((image, 1), (mask, 0)):
                read = nibabel.load(path)
                values = np.asarray(read.dataobj).astype(np.int16 if order else np.uint8)  # type: ignore[attr-defined]
                resample(np.ascontiguousarray(values.transpose(2, 1, 0)), grid, onto, order)

        def whole(number: int) -> None:
            line = prepare_entry(Task(str(image), str(mask)), preparation, str(folder / str(number)))
            if "reason" in line:
                raise RuntimeError(line["reason"])

        times = []
        for number in range(repeats + 1):
            (folder / str(number)).mkdir()
            place = torch.device("cpu")
            times.append((timed(alone, place), timed(partial(whole, number), place)))
    wall, cpu = ([statistics.median(pair[j][i] for pair in times[1:]) for j in (0, 1)] for i in (0, 1))
    return {
        "volume": " x ".join(map(str, WHOLE)),
        "read_and_resample_s": wall[0],
        "prepare_to_read_and_resample": wall[1] / wall[0],
        "prepare_to_read_and_resample_by_cpu_time": cpu[1] / cpu[0],
    }


def measure_wait(volumes: int = 16, epochs: int = 30) -> dict[str, Any]:
    """Share of an epoch spent waiting for crops, once the volumes are prepared; small preset, no workers."""
    with tempfile.TemporaryDirectory() as scratch:
        write_ct_rate(Path(scratch) / "ct", volumes, 96, 5.0, 0, 1)
        settings = {"dataset_dir": f"{scratch}/ct", "output_root": scratch, "epochs": epochs}
        parser = _recipe({**settings, "train#trainer#train_handlers": None}, "data/phantom", "small")
        trainer = parser.get_parsed_content("train#trainer")
        trainer.run()
        reading = trainer.speed.reading
    return {"recipe": "train+small", "iterations": reading.iterations, "data_wait": reading.data_wait}


def _recipe(settings: Mapping[str, Any], *overlays: str) -> ConfigParser:
    """The bundle's recipe with other values by key, and with the modules that its expressions name."""
    parser = read_recipe(*(BUNDLE / "configs" / f"{name}.yaml" for name in ("train", *overlays)))
    parser.update({"bundle_root": str(BUNDLE), **settings})
    parser.get_parsed_content("initialize", instantiate=False)
    return parser


def _volume(folder: Path) -> tuple[Path, Path]:
    """A smooth volume with noise and its label map; gzip finds about as much to do as in a scan."""
    generator = np.random.default_rng(0)
    depth, height, width = WHOLE
    z, y, x = np.ogrid[-1 : 1 : depth * 1j, -1 : 1 : height * 1j, -1 : 1 : width * 1j]
    inside = (z * z + y * y + x * x < 0.8).transpose(2, 1, 0)
    noise = generator.normal(0, 20, (width, height, depth))
    labels = np.where(inside, 10, 0).astype(np.uint8)  # v2: an upper left lobe
    labels[width // 3 : width // 2, height // 3 : height // 2, depth // 3 : depth // 2] = 51  # v2: heart
    affine = np.diag([-1.0, -1.0, 2.0, 1.0])
    paths = folder / "image.nii.gz", folder / "mask.nii.gz"
    for path, values in zip(paths, ((np.where(inside, 40, -1000) + noise).astype(np.int16), labels), strict=True):
        picture = nibabel.Nifti1Image(values, affine)
        picture.header.set_xyzt_units("mm")
        nibabel.save(picture, path)
    return paths
