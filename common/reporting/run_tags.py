"""What MLflow's pages say of a run: where it comes from, and the command that repeats it."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..command.credentials import without_credentials
from ..command.given import current_command
from ..engines import commit
from .closing_block import IN_REPOSITORY

RECIPES, MULTI_GPU = ("train.yaml", "analyse.yaml"), "multi_gpu"
LABELS = {"data": "data.name", "encoder": "architecture", "seed": "seed", "start": "start"}
TOLD_BY_BUNDLE = ("--config_file", "--bundle_root")


def run_tags() -> dict[str, str]:
    """Tags of a run that this process makes, by name."""
    tags = {"mlflow.source.type": "LOCAL", "mlflow.source.name": " ".join(sys.argv)}
    command, version = current_command(), commit()
    if command is not None:
        recipe, *overlays = command.files
        tags["mlflow.source.name"] = recipe
        tags["bundle"] = Path(recipe).resolve().parents[1].name
        tags["overlays"] = " ".join(overlay_name(file, recipe) for file in overlays)
    if version is not None:
        tags["mlflow.source.git.commit"] = version
    return {name: without_credentials(value) for name, value in tags.items() if value}


def description() -> dict[str, str]:
    """The command as the text that MLflow shows above a run's numbers; nothing where no command line began it."""
    command = current_command()
    if command is None:
        return {}
    typed = short_form(command.files, sys.argv) or shlex.join(["python", "-m", "monai.bundle", *sys.argv[1:]])
    return {"mlflow.note.content": without_credentials(f"```bash\n{typed}\n```")}


def short_form(files: Sequence[str], arguments: Sequence[str]) -> str | None:
    """`python -m common run ...` that stands for a command; None where there is none.

    Args:
        files: configs of the command, the recipe first.
        arguments: of the process, as MONAI reads them.
    """
    recipe = Path(files[0]).resolve()
    if not IN_REPOSITORY or recipe.name not in RECIPES or recipe.parents[2].name != "bundles":
        return None
    overlays, gpus = [overlay_name(file, files[0]) for file in files[1:]], []
    if "evaluate" in overlays:  # the launcher's `evaluate` needs a run's folder, and finds these files itself
        return None
    if (processes := os.environ.get("WORLD_SIZE", "1")) != "1":
        gpus = ["--gpus", processes]  # which adds the overlay
        overlays = [name for name in overlays if name != MULTI_GPU]
    words = ["run", recipe.parents[1].name, *overlays, *_overrides(arguments), *gpus]
    return shlex.join(["python", "-m", "common", *words])


def overlay_name(file: str, recipe: str) -> str:
    """As the launcher calls it: by its place below the recipe's folder, or as a file of one's own."""
    path, folder = Path(file).resolve(), Path(recipe).resolve().parent
    return path.relative_to(folder).with_suffix("").as_posix() if path.is_relative_to(folder) else file


def _overrides(arguments: Sequence[str]) -> list[str]:
    kept, words = [], iter(arguments[2:])
    for word in words:
        if word in TOLD_BY_BUNDLE:
            next(words, None)
        elif word.partition("=")[0] not in TOLD_BY_BUNDLE:
            kept.append(word)
    return kept


def labels(params: Mapping[str, str]) -> dict[str, str]:
    """Parameters that one filters runs by, which are tags as well.

    Args:
        params: of the run, by name.
    """
    return {label: params[name] for label, name in LABELS.items() if name in params}
