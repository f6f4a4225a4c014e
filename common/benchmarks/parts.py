"""The parts of the benchmark, by name, and the machine they are measured on."""

import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ..studies.machine import processor
from .ct import PAPER_ABDOMEN_CROP, PAPER_CROP, measure_head, measure_preparation, measure_wait
from .launches import measure_launches
from .loop import measure_loop
from .loss import measure_loss
from .reading import measure_reading
from .step import measure_step
from .store import measure_store
from .views import measure_views

PACKAGES = ("torch", "monai", "timm", "kornia", "mlflow")
EXPERT = {"_target_": "common.teachers.seeded_expert", "architecture": "vit_tiny_patch16_224", "image_size": 64}
EXPERT |= {"options": {"patch_size": 8, "class_token": False, "global_pool": "avg", "fc_norm": False}}
# LeADER with one expert that is asked once and one that is asked in every step.
EXPERTS = {"disease_network": {**EXPERT, "seed": 1}, "anatomy_expert": {**EXPERT, "seed": 2}}
METHODS: dict[str, dict[str, Any]] = {
    "cxr_ace": {},
    "cxr_adam": {},
    "cxr_srhrs": {},
    "cxr_leader": EXPERTS,
    "cxr_adam_v2": {},
}
STEP_BATCHES = (("cxr_ace", 2, 8), ("cxr_adam", 16, 256), ("cxr_srhrs", 4, 32), ("cxr_leader", 4, 32))
"""Images per step on a CPU and on a GPU."""
PAPER_CT_BATCHES = {"r3d_18": (10, 5), "mvit_v2_s": (4, 2), "swin3d_t": (6, 2)}
"""Volumes per step of the chest and of the abdomen."""


def store() -> list[dict[str, Any]]:
    """Images per second and core from the store, and its building against bare PNG decoding."""
    return [measure_store()]


def reading() -> list[dict[str, Any]]:
    """Seconds to read the label files and index the tree of 112,120 images."""
    return [measure_reading()]


def step() -> list[dict[str, Any]]:
    """Each method's step against its encoders' passes: the small presets, and the papers' networks in small batches."""
    large = torch.cuda.is_available()
    results = [measure_step(bundle, ["small"], 32, overrides=overrides) for bundle, overrides in METHODS.items()]
    for bundle, few, many in STEP_BATCHES:
        results.append(measure_step(bundle, [], many if large else few, repeats=3, overrides=METHODS[bundle]))
    return results


def launches() -> list[dict[str, Any]]:
    """Operations of each method's step, and those that the host would wait for: small presets, both precisions."""
    return [
        measure_launches(bundle, ["small"], overrides=overrides, mixed_precision=mixed)
        for mixed in (False, True)
        for bundle, overrides in METHODS.items()
    ]


def loss() -> list[dict[str, Any]]:
    """Adam's pruned loss against the unpruned one and a loop over anchors, at the paper's batch and bank."""
    return [measure_loss()]


def wait() -> list[dict[str, Any]]:
    """Share of a training step spent waiting for data, small preset."""
    return [measure_loop("cxr_ace", ["small"], images=256, epochs=3)]


def views() -> list[dict[str, Any]]:
    """Each change of intensities alone, beside a pass of a ResNet-50."""
    return [measure_views()] if torch.cuda.is_available() else [measure_views(batch=8)]


def ct() -> list[dict[str, Any]]:
    """CT diagnosis: the second task's share of a step, preparing against reading, waiting for prepared volumes."""
    if torch.cuda.is_available():
        crops = (PAPER_CROP, PAPER_ABDOMEN_CROP)
        heads = [
            measure_head(name, crop, batch)
            for name, batches in PAPER_CT_BATCHES.items()
            for crop, batch in zip(crops, batches, strict=True)
        ]
    else:  # a step takes 14 to 17 s
        heads = [measure_head("r3d_18", PAPER_CROP, 1, repeats=2)]
    return [*heads, measure_preparation(), measure_wait()]


def smoke() -> list[dict[str, Any]]:
    """Wall seconds of each bundle's smoke run, start-up included, on the phantom in data/phantom."""
    if not Path("data/phantom").is_dir():
        raise SystemExit("The smoke runs need data/phantom: python scripts/make_phantom.py data/phantom")
    results = []
    for recipe in sorted(Path("bundles").glob("*/configs/smoke.yaml")):
        configs, bundle = recipe.parent, recipe.parent.parent
        overlays = [configs / "data/phantom.yaml"] if (configs / "data/phantom.yaml").is_file() else []
        files = [str(file) for file in (configs / "train.yaml", *overlays, recipe)]
        with tempfile.TemporaryDirectory() as scratch:
            options = ["--bundle_root", str(bundle), "--dataset_dir", "data/phantom", "--output_root", scratch]
            command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files), *options]
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
        results.append({"bundle": bundle.name, "smoke_s": time.perf_counter() - begin})
    return results


PARTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "store": store,
    "reading": reading,
    "step": step,
    "launches": launches,
    "loss": loss,
    "wait": wait,
    "views": views,
    "ct": ct,
    "smoke": smoke,
}


def machine() -> dict[str, Any]:
    """Where and with what the figures were measured."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


def rounded(result: Mapping[str, Any], digits: int) -> dict[str, Any]:
    """A result for reading and keeping: its fractions to so many digits."""
    return {key: round(value, digits) if isinstance(value, float) else value for key, value in result.items()}
