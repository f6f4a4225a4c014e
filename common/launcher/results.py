"""What runs left in their folders: the best value of each, whether it came to its end, and when."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..run_folder import BEST, CHECKPOINTS, ENCODER, EVALUATION, MODEL, PROBE
from .course import unfinished

KEPT = (BEST, EVALUATION, PROBE, MODEL, ENCODER)
PROBES = ("patch_auc", "landmark_retrieval", "knn_auc")  # what a probe of an encoder is read by


@dataclass(frozen=True)
class Result:
    """A run at a glance.

    Args:
        folder: of the run.
        said: its best value on validation, its evaluation's, and where it was interrupted.
        when: the last of its files was written.
    """

    folder: Path
    said: str
    when: datetime


def results(output_root: Path = Path("runs")) -> list[Result]:
    """Every run below an output root, the newest last."""
    found = (_result(folder) for folder in sorted(output_root.glob("*/*/")))
    return sorted((result for result in found if result is not None), key=lambda result: result.when)


def is_run(folder: Path) -> bool:
    """Whether a folder holds what a training writes."""
    return any((folder / name).is_file() for name in KEPT) or (folder / CHECKPOINTS).is_dir()


def _result(folder: Path) -> Result | None:
    if not is_run(folder):
        return None
    checkpoints = sorted((folder / CHECKPOINTS).glob("iteration-*.pt"))
    files = [*checkpoints, *(folder / name for name in KEPT if (folder / name).is_file())]
    said = list(filter(None, [_best(folder), _evaluation(folder), _probe(folder)]))
    if not said:
        last = checkpoints[-1].stem.removeprefix("iteration-").lstrip("0") if checkpoints else "0"
        said = [f"not evaluated, {last} iterations"]
    course = unfinished(folder)
    said += [course] if course else []
    when = max((path.stat().st_mtime for path in files), default=folder.stat().st_mtime)
    return Result(folder, ", ".join(said), datetime.fromtimestamp(when))


def _best(folder: Path) -> str:
    best = _json(folder / BEST)
    if not isinstance(best.get("value"), float) or best.get("metric") is None:
        return ""
    return f"{best['metric']} {best['value']:.4f} in epoch {best.get('epoch')}"


def _evaluation(folder: Path) -> str:
    """By the metric that chose the weights, or the first that is not of one class."""
    said, wanted = _json(folder / EVALUATION), _json(folder / BEST).get("metric")
    metrics = said.get("metrics", {})
    name = wanted if wanted in metrics else next((name for name in metrics if "/" not in name), None)
    if name is None:
        return ""
    value = f"{metrics[name]:.4f}" if isinstance(metrics[name], float) else "undefined"
    return f"{said.get('split') or 'evaluated'}: {name} {value}"


def _probe(folder: Path) -> str:
    metrics = _json(folder / PROBE)
    return ", ".join(f"{name} {metrics[name]:.4f}" for name in PROBES if isinstance(metrics.get(name), float))


def _json(path: Path) -> dict[str, Any]:
    """What a file holds; nothing where there is none, or none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
