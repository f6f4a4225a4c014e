"""The rows of docs/tasks.md."""

import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tasks.md"


@dataclass(frozen=True)
class Row:
    """A task of a paper.

    Args:
        paper: heading above its table.
        task: what is asked.
        words: command after `python -m common run`.
        tried: what it was run on.
    """

    paper: str
    task: str
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
            task, _, _, command, tried = cells
            found.append(Row(paper, task, tuple(shlex.split(command.strip("`"))), tried))
    return found
