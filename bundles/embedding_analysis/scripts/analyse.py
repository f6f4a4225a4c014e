"""Runs every analysis on every encoder, and writes what was found."""

import json
import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from common.files import DatasetError, write_atomically
from common.networks import Encoder
from common.reporting import Tracking

from .found import Found
from .landmark_images import LandmarkImages

logger = logging.getLogger(__name__)
Analysis = Callable[[Encoder, LandmarkImages], Found]
Numbers = dict[str, dict[str, dict[str, float]]]
"""Analysis -> encoder -> number."""


class Analyse:
    """All analyses of all encoders, one encoder after the other.

    `numbers.json` has the numbers by analysis and encoder, null where undefined; MLflow has them as
    `<analysis>/<encoder>/<number>`.

    Args:
        encoders: by name.
        images: that all look at.
        analyses: by name; None is left out.
        run_dir: folder of the results.
        tracking: takes numbers and files.
    """

    def __init__(
        self,
        encoders: Mapping[str, Encoder],
        images: LandmarkImages,
        analyses: Mapping[str, Analysis | None],
        run_dir: str,
        tracking: Tracking,
    ):
        self.encoders, self.images, self.run_dir, self.tracking = encoders, images, Path(run_dir), tracking
        self.analyses = {name: analysis for name, analysis in analyses.items() if analysis is not None}
        self.left_out: dict[str, str] = {}

    def run(self) -> Numbers:
        """Measure, write and log; an analysis for which the images lack something is left out, with the reason."""
        with self.tracking.whole_run():
            numbers = {name: found for name in self.analyses if (found := self._measured(name))}
            content = {"data": self._data(), "encoders": self._encoders(), "left_out": self.left_out}
            text = json.dumps(_defined({**content, "analyses": numbers}), indent=2)
            write_atomically(text + "\n", self.run_dir / "numbers.json")
            self.tracking.log_metrics(numbers)
            self.tracking.log_artifact(self.run_dir / "numbers.json")
        return numbers

    def _measured(self, name: str) -> dict[str, dict[str, float]]:
        numbers = {}
        for encoder in self.encoders:
            try:
                found = self.analyses[name](self.encoders[encoder], self.images)
            except DatasetError as error:
                logger.warning("%s is left out: %s", name, error)
                self.left_out[name] = str(error)
                return {}
            numbers[encoder] = found.numbers
            logger.info("%s, %s: %s", name, encoder, _shown(found.numbers))
        return numbers

    def _data(self) -> dict[str, Any]:
        corpus = self.images.store.corpus
        return {"name": corpus.name, "images": len(self.images), "patients": len(set(self.images.patients))} | {
            "size": self.images.size,
            "landmarks": list(self.images.names),
        }

    def _encoders(self) -> dict[str, Any]:
        described = {name: encoder.description for name, encoder in self.encoders.items()}
        return {
            name: {"architecture": it.architecture, "method": it.method or "random weights", "corpora": it.corpora}
            for name, it in described.items()
        }


def _defined(value: Any) -> Any:
    """JSON has no nan."""
    if isinstance(value, Mapping):
        return {key: _defined(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _shown(numbers: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in numbers.items())
