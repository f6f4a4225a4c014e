"""Write what a detector finds in a folder of images."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.evaluation.save_items import SaveItems
from common.files import outputs

EDGES = ("top", "left", "bottom", "right")


class SaveBoxes(SaveItems):
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
        self._highest = 0.0

    def kept(self, item: dict[str, Any], batch: dict[str, Any]) -> dict[str, Any]:
        """An image's entry."""
        rows = item["pred"].tolist()
        self._highest = max([self._highest, *(row[4] for row in rows)])
        return {"image": str(batch["source"]), "boxes": self.boxes(rows)}

    def boxes(self, rows: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
        """Rows of four edges, score and number of the finding, by name."""
        return [
            {"finding": self.findings[int(number)], "score": round(score, 4)}
            | {name: round(edge, 2) for name, edge in zip(EDGES, edges, strict=True)}
            for *edges, score, number in rows
            if score >= self.score
        ]

    def write(self) -> None:
        """Write the file."""
        with outputs(self.path) as [partial]:
            partial.write_text(json.dumps(self.items, indent=1) + "\n")
        count = sum(len(entry["boxes"]) for entry in self.items)
        print(f"Wrote {count} boxes of {', '.join(self.findings)} in {len(self.items)} images to {self.path.resolve()}")
        if not count:
            print(f"None has a score of {self.score:g} or more; the highest is {self._highest:.3f}.")
