"""Write the landmarks of a folder of images."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events

from common.files import outputs


class SaveLandmarks:
    """Handler of an evaluator: one JSON file, image -> landmark -> [row, col].

    Images are named by their paths below the root, and places are in pixels of the image's own size: 0 is the centre of
    the first pixel. What was found before an unreadable file ended the run is written too.

    Args:
        path: of the file; its folder is made.
        root: folder of the images.
        landmarks: names, in the order of the points in `pred` (1, L, 2).
    """

    def __init__(self, path: str, root: str, landmarks: Sequence[str]):
        self.path, self.root = Path(path), Path(root).resolve()  # as readers do
        self.landmarks = list(landmarks)

    def attach(self, engine: Engine) -> None:
        """Collect after every batch and write at the end."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        engine.add_event_handler(Events.COMPLETED, self._write)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._write_and_raise)

    def _start(self, engine: Engine) -> None:
        self.found: dict[str, dict[str, list[float]]] = {}

    def _collect(self, engine: Engine) -> None:
        state: Any = engine.state
        for item, batch in zip(state.output, state.batch, strict=True):
            name = Path(batch["source"]).relative_to(self.root).as_posix()
            points = [[round(value, 2) for value in point] for point in item["pred"][0].tolist()]
            self.found[name] = dict(zip(self.landmarks, points, strict=True))

    def _write_and_raise(self, engine: Engine, error: BaseException) -> None:
        self._write(engine)
        raise error

    def _write(self, engine: Engine) -> None:
        lines = [f"{json.dumps(name)}: {json.dumps(points)}" for name, points in self.found.items()]
        with outputs(self.path) as [partial]:
            partial.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        print(f"Wrote {len(self.landmarks)} landmarks of {len(self.found)} images to {self.path.resolve()}")
