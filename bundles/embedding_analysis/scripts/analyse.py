"""Runs every analysis on every encoder, and writes what was found."""

import json
import logging
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.files import DatasetError, replacing, write_atomically
from common.networks import Encoder
from common.reporting import Tracking

from .drawing import DPI
from .found import Analysis
from .landmark_images import LandmarkImages
from .page import Section, number, page

logger = logging.getLogger(__name__)
FIGURES = "figures"


class Analyse:
    """All analyses of all encoders, each of which is shown beside the others.

    In `run_dir` lie `numbers.json`, the numbers by analysis and encoder with null where one is undefined; `index.html`,
    which shows them; and its pictures in `figures/`. MLflow has all of them, and the numbers as
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

    def run(self) -> None:
        """Measure, draw, write and log; an analysis for which the images lack something is left out, with the reason.

        Raises:
            DatasetError: that of the last analysis, where none was possible.
        """
        with self.tracking.whole_run():
            sections, left_out = [], {}
            for name in self.analyses:
                try:
                    sections.append(self._section(name))
                except DatasetError as error:
                    left_out[name] = str(error)
                    logger.warning("%s is left out: %s", name, error)
                    if len(left_out) == len(self.analyses):
                        raise
            numbers = {section.name: section.numbers for section in sections}
            known = {"data": self._data(), "encoders": self._encoders(), "left_out": left_out}
            text = json.dumps(_defined({**known, "analyses": numbers}), indent=2)
            write_atomically(text + "\n", self.run_dir / "numbers.json")
            write_atomically(page(*self._heading(), self._encoders(), sections), self.run_dir / "index.html")
            self.tracking.log_metrics(numbers)
            for file in ("numbers.json", "index.html"):
                self.tracking.log_artifact(self.run_dir / file)
        logger.info("The page is %s.", self.run_dir / "index.html")

    def _section(self, name: str) -> Section:
        analysis, numbers, pictures = self.analyses[name], {}, {}
        for encoder in self.encoders:
            found = analysis(self.encoders[encoder], self.images)
            numbers[encoder] = found.numbers
            file = f"{FIGURES}/{name}-{_file_name(encoder)}.png"
            with replacing(self.run_dir / file) as [partial]:
                analysis.draw(found.shown).savefig(partial, dpi=DPI, format="png")
            self.tracking.log_artifact(self.run_dir / file, FIGURES)
            pictures[encoder] = file
            logger.info("%s, %s: %s", name, encoder, ", ".join(f"{key} {x:.3g}" for key, x in found.numbers.items()))
        best = best_of(numbers, analysis.highest, analysis.lowest)
        return Section(name, analysis.title, analysis.about, numbers, best, pictures)

    def _heading(self) -> tuple[str, str]:
        data = self._data()
        landmarks = f"; landmarks: {', '.join(data['landmarks'])}" if data["landmarks"] else ""
        facts = f"{data['images']:,} images of {data['patients']:,} patients at {data['size']} pixels{landmarks}."
        return f"Embeddings of {data['name']}", facts

    def _data(self) -> dict[str, Any]:
        images = self.images
        counts = {"images": len(images), "patients": len(set(images.patients)), "size": images.size}
        return {"name": images.store.corpus.name, **counts, "landmarks": list(images.names)}

    def _encoders(self) -> dict[str, dict[str, Any]]:
        described = {name: encoder.description for name, encoder in self.encoders.items()}
        return {
            name: {
                "architecture": it.architecture,
                "method": it.method or "random weights",
                "trained on": list(it.lineage.corpora),  # those of its experts too
                "image size": it.image_size,
            }
            for name, it in described.items()
        }


def best_of(
    numbers: Mapping[str, Mapping[str, float]], highest: Sequence[str], lowest: Sequence[str]
) -> dict[str, list[str]]:
    """Encoders with the best value, as it is shown, of each number that has a best, where not all are alike.

    Args:
        numbers: by encoder.
        highest: beginnings of the names of numbers of which the highest is the best.
        lowest: likewise the lowest.
    """
    found = {}
    for name in {name: None for of_encoder in numbers.values() for name in of_encoder}:
        choose = max if name.startswith(tuple(highest)) else min if name.startswith(tuple(lowest)) else None
        values = {e: of[name] for e, of in numbers.items() if not math.isnan(of.get(name, math.nan))}
        shown = {encoder: number(value) for encoder, value in values.items()}
        if choose is not None and len(set(shown.values())) > 1:
            best = number(choose(values.values()))
            found[name] = [encoder for encoder, text in shown.items() if text == best]
    return found


def _file_name(encoder: str) -> str:
    return re.sub(r"[^\w.-]+", "_", encoder)


def _defined(value: Any) -> Any:
    """JSON has no nan."""
    if isinstance(value, Mapping):
        return {key: _defined(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
