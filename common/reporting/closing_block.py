"""The last lines of a training: what it came to, where that lies, and what to do next."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..command.run_files import read_run_files
from ..records.data_used import DataUsed
from ..records.lineage import EXPERTS, TRAINED, as_lineage
from ..run_folder import BEST_ENCODER, CONFIG, ENCODER, LOG, MODEL, NETWORK
from .data_note import VALIDATED, DataNote
from .durations import clock

if TYPE_CHECKING:
    from ..engines import Trainer

FILES = {
    MODEL: "weights",
    ENCODER: "encoder of the last epoch",
    BEST_ENCODER: "encoder of the best epoch",
    NETWORK: "network",
    CONFIG: "recipe",
    LOG: "log",
}
FEW = 10
"""Images, or volumes, fewer than which say little about a network."""
IN_REPOSITORY = not __name__.startswith("scripts.")
"""An exported bundle has no launcher."""


class Judge(Protocol):
    """What keeps the best weights: `common.engines.Checkpoints`, `common.evaluation.KeepBest`."""

    @property
    def best_so_far(self) -> tuple[int, float] | None:
        """Epoch and value of the best evaluation; None before the first."""


def closing_block(
    run_dir: Path,
    trainer: "Trainer",
    evaluator: Any,
    best: Judge | None,
    curves: Sequence[str],
    seconds: float | None,
) -> str:
    """Lines for a person at the end of a training.

    Args:
        run_dir: of the run.
        trainer: that has finished.
        evaluator: whose key metric says what is best; None where nothing was validated.
        best: judges which epoch is the best.
        curves: where to look at them.
        seconds: that the training took; None where the run was finished before this command.
    """
    state, data = trainer.state, DataNote(run_dir).read()
    took = "before this command" if seconds is None else f"in {clock(seconds)}"
    lines = [("finished", f"{run_dir.name}: {state.epoch} of {state.max_epochs} epochs {took}")]
    found = best.best_so_far if best is not None else None
    if found is not None and evaluator is not None:
        (epoch, value), metric = found, getattr(evaluator.state, "key_metric_name", None) or "metric"
        unmoved = "" if epoch else ", before training: no epoch was better"
        lines.append(("best", f"{metric} {value:.4f} at epoch {epoch}{unmoved}"))
    lines += [("note", notice) for notice in [*_notices(evaluator), *_too_few(data[VALIDATED])]]
    lines += [("trained on", str(used)) for used in data[TRAINED]]
    began = DataNote(run_dir).beginning()
    lines += [("before that", str(used)) for used in as_lineage(began).trained_on]
    lines += [("by experts of", str(used)) for used in as_lineage(began.get(EXPERTS, {})).trained_on]
    lines += [("judged by", str(used)) for used in data[VALIDATED]]
    there = [f"{name} ({what})" for name, what in FILES.items() if (run_dir / name).is_file()]
    lines += [("files", f"{run_dir}/"), ("", ", ".join(there))]
    lines += [("curves" if not number else "", line) for number, line in enumerate(curves)]
    lines += [("next" if not number else "", line) for number, line in enumerate(_next(run_dir))]
    width = max(len(name) for name, _ in lines)
    rule = "-" * 72
    return "\n".join([rule, *(f"{name:<{width}}  {text}".rstrip() for name, text in lines), rule])


def _notices(evaluator: Any) -> list[str]:
    """What the last evaluation's reports say beside their numbers."""
    details = getattr(getattr(evaluator, "state", None), "metric_details", None) or {}
    return [notice for outcome in details.values() for notice in getattr(outcome, "notices", ())]


def _too_few(validated: Sequence[DataUsed]) -> list[str]:
    judges = sum(used.images for used in validated)
    what = validated[0].unit if validated else ""
    return [f"judged by fewer than {FEW} {what}: which epoch is best is mostly chance"] if 0 < judges < FEW else []


def _next(run_dir: Path) -> list[str]:
    noted = read_run_files(run_dir)
    if not IN_REPOSITORY or noted is None or noted.bundle is None:
        return []
    run = shlex.quote(str(run_dir))
    lines = [f"python -m common evaluate {run}", f"python -m common export {run}"]
    encoder = run_dir / ENCODER
    if encoder.is_file():
        start = f"--encoder_file {shlex.quote(str(encoder))}"
        size = " small" if any(Path(file).stem == "small" for file in noted.config_files) else ""
        lines.append(f"python -m common run image_segmentation lung_masks{size} {start} --dataset_dir FOLDER")
    return lines
