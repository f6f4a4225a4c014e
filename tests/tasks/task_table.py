"""The rows of docs/tasks.md."""

import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tasks.md"


KEYS = {
    "AUC": ("auc",),
    "mean AUC": ("auc",),
    "accuracy": ("accuracy",),
    "accuracy, AUC": ("accuracy", "auc"),
    "accuracy, quadratic kappa": ("accuracy", "quadratic_kappa"),
    "Dice": ("dice",),
    "mean Dice": ("dice",),
    "IoU": ("iou",),
    "Dice, IoU": ("dice", "iou"),
    "`mean_iou` (B14)": ("mean_iou",),
    "precision and AP at IoU 0.5": ("precision", "average_precision"),
    "pixel error": ("error_px",),
}
"""The names in `evaluation.json` of a metric of the page."""


@dataclass(frozen=True)
class Row:
    """A task of a paper.

    Args:
        paper: heading above its table.
        task: what is asked.
        metric: what the paper's table says.
        words: command after `python -m common run`.
        tried: what it was run on.
    """

    paper: str
    task: str
    metric: str
    words: tuple[str, ...]
    tried: str

    @property
    def name(self) -> str:
        return f"{self.paper}: {self.task}"


def rows() -> list[Row]:
    """Every row, in the order of the page."""
    found, paper = [], ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            paper = line.removeprefix("## ")
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] != "task" and not cells[0].startswith("---"):
            task, _, metric, command, tried = cells
            found.append(Row(paper, task, metric, tuple(shlex.split(command.strip("`"))), tried))
    return found
