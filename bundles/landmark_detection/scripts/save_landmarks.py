"""Write the landmarks of a folder of images."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.evaluation.save_items import SaveItems
from common.files import outputs


class SaveLandmarks(SaveItems):
    """Handler of an evaluator: one JSON file, image -> landmark -> [row, col].

    Images are named by their paths below the root, and places are in pixels of the image's own size: 0 is the centre of
    the first pixel.

    Args:
        path: of the file; its folder is made.
        root: folder of the images.
        landmarks: names, in the order of the points in `pred` (1, L, 2).
    """

    def __init__(self, path: str, root: str, landmarks: Sequence[str]):
        self.path, self.root = Path(path), Path(root).resolve()  # as readers do
        self.landmarks = list(landmarks)

    def kept(self, item: dict[str, Any], batch: dict[str, Any]) -> tuple[str, dict[str, list[float]]]:
        """An image's path and its landmarks by name."""
        points = [[round(value, 2) for value in point] for point in item["pred"][0].tolist()]
        name = Path(batch["source"]).relative_to(self.root).as_posix()
        return name, dict(zip(self.landmarks, points, strict=True))

    def write(self) -> None:
        """Write the file, a line an image."""
        lines = [f"{json.dumps(name)}: {json.dumps(points)}" for name, points in self.items]
        with outputs(self.path) as [partial]:
            partial.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        print(f"Wrote {len(self.landmarks)} landmarks of {len(self.items)} images to {self.path.resolve()}")
