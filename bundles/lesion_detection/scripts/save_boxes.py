"""Write what a detector finds in a folder of images."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events

from common.files import outputs

EDGES = ("top", "left", "bottom", "right")


class SaveBoxes:
    """Handler of an evaluator: one JSON file, a list with an entry for each image, in the order of their paths.

    An entry has the `image` (path) and its `boxes`, the most certain first: `finding`, `score`, and `top`, `left`,
    `bottom`, `right` in pixels of the image's file, the last two exclusive.

    Args:
        path: of the file; its folder is made when absent.
        findings: names by the number that a detection has.
        score: below which nothing is written.
    """

    def __init__(self, path: str, findings: Sequence[str], score: float = 0.05):
        self.path, self.findings, self.score = Path(path), list(findings), score

    def attach(self, engine: Engine) -> None:
        """Collect after every batch and write at the end, also where an unreadable file ends the run."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        engine.add_event_handler(Events.COMPLETED, self._write)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._write_and_raise)

    def _start(self, engine: Engine) -> None:
        self.entries: list[dict[str, Any]] = []

    def _collect(self, engine: Engine) -> None:
        state: Any = engine.state
        for item, batch in zip(state.output, state.batch, strict=True):
            self.entries.append({"image": str(batch["source"]), "boxes": self.boxes(item["pred"].tolist())})

    def boxes(self, rows: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
        """Rows of four edges, score and number of the finding, by name."""
        return [
            {"finding": self.findings[int(number)], "score": round(score, 4)}
            | {name: round(edge, 2) for name, edge in zip(EDGES, edges, strict=True)}
            for *edges, score, number in rows
            if score >= self.score
        ]

    def _write_and_raise(self, engine: Engine, error: BaseException) -> None:
        self._write(engine)
        raise error

    def _write(self, engine: Engine) -> None:
        with outputs(self.path) as [partial]:
            partial.write_text(json.dumps(self.entries, indent=1) + "\n")
        count = sum(len(entry["boxes"]) for entry in self.entries)
        print(
            f"Wrote {count} boxes of {', '.join(self.findings)} in {len(self.entries)} images to {self.path.resolve()}"
        )
