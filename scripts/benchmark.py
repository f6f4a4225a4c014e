"""Print the collection's performance figures and keep them with date, machine and versions.

python scripts/benchmark.py [store step wait smoke]      (without names: all that this machine can measure)

Figures are ratios measured in one run, since a single time says more about the machine than about the code. The
paper's size needs about two minutes of CPU. Results are appended to scripts/benchmark_results.jsonl.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from benchmark_step import CONFIGS, measure_step
from benchmark_store import measure_store, synthetic_images
from monai.bundle import ConfigParser

RESULTS = Path(__file__).with_name("benchmark_results.jsonl")
PACKAGES = ("torch", "monai", "timm", "kornia", "mlflow")


def store() -> list[dict[str, Any]]:
    """Images per second and core from the store, and its building against bare PNG decoding."""
    return [measure_store()]


def step() -> list[dict[str, Any]]:
    """One ACE step against its encoder's passes: the small preset and the paper's size."""
    paper_batch = 8 if torch.cuda.is_available() else 2
    return [measure_step(["small"], 32), measure_step([], paper_batch, repeats=3)]


def wait() -> list[dict[str, Any]]:
    """Share of a training step spent waiting for data, small preset."""
    with tempfile.TemporaryDirectory() as scratch:
        images = Path(scratch) / "images"
        images.mkdir()
        synthetic_images(images, 256, size=256)
        parser = ConfigParser()
        parser.read_config([f"{CONFIGS}/train.yaml", f"{CONFIGS}/small.yaml"])
        parser.update({"dataset": "folder", "dataset_dir": str(images), "dataset_options": {}, "epochs": 3})
        parser.update({"output_root": scratch, "train#trainer#train_handlers": None})
        trainer = parser.get_parsed_content("train#trainer")
        trainer.run()
        reading = trainer.speed.reading
    return [{"recipe": "train+small", "iterations": reading.iterations, "data_wait": reading.data_wait}]


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


PARTS: dict[str, Callable[[], list[dict[str, Any]]]] = {"store": store, "step": step, "wait": wait, "smoke": smoke}


def machine() -> dict[str, Any]:
    """Where and with what the figures were measured."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": model,
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}")
    chosen = parser.parse_args().parts or list(PARTS)
    unknown = set(chosen) - set(PARTS)
    if unknown:
        parser.error(f"unknown parts {sorted(unknown)}; known are {', '.join(PARTS)}")
    about = machine()
    print(json.dumps(about, indent=2))
    for part in chosen:
        for result in PARTS[part]():
            rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in result.items()}
            print(f"\n{part}")
            print("\n".join(f"  {key:<28} {value}" for key, value in rounded.items()))
            with RESULTS.open("a") as file:
                file.write(json.dumps({"part": part, **rounded, **about}) + "\n")


if __name__ == "__main__":
    main()
