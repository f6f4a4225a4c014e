"""Measure a whole training with its loader: images per second, and how long it waits for data."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..command import read_recipe
from .store import synthetic_images


def measure_loop(
    bundle: str, overlays: Sequence[str], images: int, epochs: int, overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Train a recipe on made-up images of 256 pixels, without validation, pictures and checkpoints.

    Args:
        bundle: name, such as "cxr_ace".
        overlays: of its recipe, such as ["small"].
        images: PNG files that are made for it.
        epochs: of all of them.
        overrides: values by key.

    Returns:
        The last epoch's images per second and share of time that it waited for data, and iterations of the run.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "images"
        folder.mkdir()
        synthetic_images(folder, images, size=256)
        parser = read_recipe(*(f"bundles/{bundle}/configs/{name}.yaml" for name in ("train", *overlays)))
        parser.update({"dataset": "folder", "dataset_dir": str(folder), "dataset_options": {}, "image_limit": None})
        parser.update({"output_root": scratch, "epochs": epochs, "warmup_epochs": 1, **(overrides or {})})
        parser.update({"train#trainer#train_handlers": None})
        trainer = parser.get_parsed_content("train#trainer")
        trainer.run()
        reading = trainer.speed.reading
    return {
        "recipe": f"{bundle}: " + "+".join(["train", *overlays]),
        "iterations": reading.iterations,
        "images_per_second": reading.images_per_second,
        "data_wait": reading.data_wait,
    }
