"""`evaluate`, `infer` and `export`: what is done with a run, of which its folder tells everything."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ..command.recipe import completed
from . import line, words
from .bundles import ROOT
from .errors import UsageError
from .runs import Run, find_run, merged
from .words import Words

EVALUATE_USAGE = "evaluate RUN [OVERLAY ...] [--split NAME] [--key value ...] [--dry_run]"
EVALUATE_HELP = """Evaluate a run's weights by its own config. RUN is its folder, or its name below runs/.
The results land in it. Overlays, such as sliding_window, are laid over what evaluates. --split is test, val or train;
of a pre-training it is what the probe reads. Data that was moved is given by --dataset_dir, for the probe by
--probe_dir. The config in the folder is a program, as every config is: evaluate runs of people you trust.

  python -m common evaluate runs/image_segmentation/lung_masks-scratch-seed0 --split val"""
INFER_USAGE = "infer RUN IMAGES [OVERLAY ...] [--out PLACE] [--key value ...] [--dry_run]"
INFER_HELP = """Apply a run's weights to a folder of images. Masks, probabilities or embeddings are written where
the bundle's inference.yaml says, or to --out.

  python -m common infer lung_masks-scratch-seed0 /data/images --out masks"""
EXPORT_USAGE = "export RUN [--out FOLDER] [--weights FILE] [--ts] [--onnx] [--dry_run]"
EXPORT_HELP = """Export a run as a bundle that stands alone, to exported/NAME or --out. --ts and --onnx add graphs.

  python -m common export lung_masks-scratch-seed0 --ts"""


def evaluate(arguments: Sequence[str]) -> int:
    """Print and run the command that evaluates a run: its config laid over the recipe, then `evaluate.yaml`."""
    given = words.parse(arguments, switches=["dry_run"], options=["split"])
    run, overlays = _run(given, "evaluate")
    config, bundle = merged(run), run.bundle
    laid_over = [bundle.config("evaluate"), *run.network, *(bundle.overlay(word) for word in overlays)]
    told = {"run_dir": line.near(run.folder), "run_name": _as_text(run.folder.name), **run.weights("ckpt_path")}
    if run.folder.parent.name == bundle.name:
        told["output_root"] = line.near(run.folder.parents[1])
    told |= run.paths(without={*told, "bundle_root", *(key for file in laid_over for key in _read(file))})
    if "split" in given.own:
        told["probe_split" if "probe_split" in config else "validate#split"] = given.own["split"]
    files = [bundle.config("train"), run.config, *laid_over]
    return line.become(line.monai_run(files, bundle, _overrides(told, given)), "dry_run" in given.own)


def infer(arguments: Sequence[str]) -> int:
    """Print and run the command that applies a run's weights to a folder of images."""
    given = words.parse(arguments, switches=["dry_run"], options=["out"])
    run, names = _run(given, "infer")
    if not names:
        raise UsageError("`infer` needs a folder of images.", "Write: python -m common infer RUN IMAGES")
    images, recipe = Path(names[0]), run.bundle.config("inference")
    if not images.is_dir():
        raise UsageError(f"There is no folder {images}.", "Give the folder that holds the images, not one of them.")
    told = {**run.weights("ckpt_path"), "dataset_dir": line.near(images)}
    if "out" in given.own:
        told |= _place(recipe, given.own["out"])
    files = [recipe, *run.network, *(run.bundle.overlay(word) for word in names[1:])]
    return line.become(line.monai_run(files, run.bundle, _overrides(told, given)), "dry_run" in given.own)


def export(arguments: Sequence[str]) -> int:
    """Print and run the command that exports a run."""
    given = words.parse(arguments, switches=["dry_run", "ts", "onnx"], options=["out", "weights"])
    words.refuse_overrides("export", given, ["out", "weights", "ts", "onnx", "dry_run"])
    run, names = _run(given, "export")
    if names:
        raise UsageError(
            f"`export` takes a run alone, not {names[0]}.", "Write: python -m common export RUN --out FOLDER"
        )
    out = given.own.get("out", str(Path("exported") / run.folder.name))
    script = ROOT / "scripts" / "export_bundle.py"
    if not script.is_file():
        raise UsageError("`export` needs the repository's scripts, which an installed package lacks.", "Use a clone.")
    command = [line.near(script), run.bundle.name]
    command += ["--run", line.near(run.folder), "--out", out]
    command += ["--weights", given.own["weights"]] if "weights" in given.own else []
    command += [f"--{name}" for name in ("ts", "onnx") if name in given.own]
    return line.become(command, "dry_run" in given.own)


def _run(given: Words, command: str) -> tuple[Run, list[str]]:
    if not given.names:
        raise UsageError(f"`{command}` needs a run.", "`python -m common list runs` lists them.")
    return find_run(given.names[0]), given.names[1:]


def _overrides(told: dict[str, str], given: Words) -> list[str]:
    """What the run's folder tells, unless it is given, and then what is given."""
    said = [word for key, value in told.items() if key not in given.keys for word in (f"--{key}", value)]
    return [*said, *given.overrides]


def _read(file: Path) -> dict[str, Any]:
    """A config; nothing of one that is damaged, of which MONAI tells."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))  # JSON is YAML
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def _place(recipe: Path, out: str) -> dict[str, str]:
    """The override that sends what an inference writes to a place: a folder, or a file where it writes a single one."""
    config = completed(_read(recipe))
    if "output_file" not in config:
        return {"output_dir": out}
    return {"output_file": out if Path(out).suffix else str(Path(out) / Path(config["output_file"]).name)}


def _as_text(name: str) -> str:
    """In quotes where the command line would read a number or the like, not a text."""
    return name if name[:1].isalpha() and name not in ("True", "False", "None") else repr(name)
