"""`run`: run a bundle's recipe with overlays by name."""

import os
from collections.abc import Sequence
from pathlib import Path

from . import line, words
from .bundles import Bundle, find_bundle
from .errors import UsageError

USAGE = "run BUNDLE [OVERLAY ...] [--key value ...] [--gpus N] [--dry_run]"
HELP = """Train a bundle, or run its analysis, with overlays. They are files of its configs/ by name (small,
data/lung_masks, lung_masks), or files of your own; keys are those of `python -m common help BUNDLE`, and `a#b` is key b
inside of a.
--gpus N starts N processes by torchrun and adds the overlay multi_gpu; `--gpus all` takes every GPU. Started by
torchrun itself it adds the overlay alone. `inference` as an overlay takes that recipe in place of the training's.

  python -m common run image_segmentation lung_masks small --dataset_dir /data/lung_masks --epochs 5"""
MULTI_GPU = "multi_gpu"


def run(arguments: Sequence[str]) -> int:
    """Print and run the command that trains or analyses.

    Raises:
        UsageError: a bundle, overlay or number of GPUs that does not exist.
    """
    given = words.parse(arguments, switches=["dry_run"], options=["gpus"])
    if not given.names:
        raise UsageError("`run` needs a bundle.", "`python -m common list bundles` lists them.")
    bundle = find_bundle(given.names[0])
    processes = _processes(given.own.get("gpus"))
    overlays = given.names[1:]
    if (processes or _world_size() > 1) and MULTI_GPU not in overlays:
        overlays = [*overlays, MULTI_GPU]
    command = line.monai_run(_files(bundle, overlays), bundle, given.overrides)
    return line.become(line.in_processes(processes, command) if processes else command, "dry_run" in given.own)


def _files(bundle: Bundle, overlays: Sequence[str]) -> list[Path]:
    recipe = "inference" if "inference" in overlays else bundle.recipe
    return [bundle.config(recipe), *(bundle.overlay(word) for word in overlays if word != recipe)]


def _processes(gpus: str | None) -> str | None:
    """What torchrun is told; None for a single process, which needs none."""
    if gpus is None:
        return None
    if _world_size() > 1:
        raise UsageError(f"--gpus {gpus} is given to a process of torchrun.", "Leave out either of them.")
    if gpus == "all":
        return "gpu"
    if not gpus.isdecimal() or int(gpus) == 0:
        raise UsageError(f"--gpus is {gpus}.", "Give a number of 1 or more, or all.")
    return gpus if int(gpus) > 1 else None


def _world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))
