"""Asks every classifier where it sees each finding, and compares with the boxes."""

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from torch import device as Device

from common.files import outputs
from common.records import Corpus
from common.reporting import Tracking
from common.scoring import few_patients

from .cases import find_cases, read_square
from .classifiers import Trained, finding_numbers
from .heat_map_figure import heat_map_figure
from .heat_maps import HeatMaps
from .numbers import THRESHOLDS, Scored, summary
from .scores import energy_inside, overlap, points_inside, rectangle

logger = logging.getLogger(__name__)
FILES = ("localization.json", "localization_findings.csv", "localization_boxes.csv", "heat_maps.png")


class Localize:
    """Grad-CAM of each classifier against each box (A39: every one of them, also several of a finding in one image).

    Writes into `run_dir`: `localization.json` with the numbers by classifier, `localization_findings.csv` with a row
    per classifier and finding, `localization_boxes.csv` with a row per classifier and box, in the same order for each
    classifier, and `heat_maps.png` with the maps beside each other.

    Args:
        classifiers: by name.
        corpus: the images of a split.
        findings: names, which every classifier knows; None takes all with boxes.
        run_dir: folder of the results.
        tracking: takes numbers and files.
        cut: above which a map's largest part gives the rectangle, in [0, 1).
        image_limit: at most so many images with boxes, for trials.
        resamples: draws of patients for the 95 % intervals.
        seed: of the draws.
        device: where the classifiers are.
    """

    def __init__(
        self,
        classifiers: Mapping[str, Trained],
        corpus: Corpus,
        findings: Sequence[str] | None,
        run_dir: str,
        tracking: Tracking,
        cut: float = 80 / 255,
        image_limit: int | None = None,
        resamples: int = 1000,
        seed: int = 0,
        device: Device | str = "cpu",
    ):
        self.classifiers, self.corpus, self.run_dir = dict(classifiers), corpus, Path(run_dir)
        self.tracking, self.cut, self.device = tracking, cut, device
        self.cases = find_cases(corpus, findings, image_limit)
        boxed = {case.finding for case in self.cases}
        self.findings = [name for name in findings or sorted(boxed) if name in boxed]
        self.outputs = finding_numbers(self.classifiers, self.findings)
        self.resamples, self.seed = resamples, seed

    def run(self) -> dict[str, Any]:
        """Measure, write and log; the content of `localization.json`."""
        with self.tracking.whole_run():
            scored = {name: self._scored(name) for name in self.classifiers}
            summaries = {
                name: summary(self.cases, found, self.findings, self.resamples, self.seed)
                for name, found in scored.items()
            }
            content = {
                "data": {"name": self.corpus.name, "fingerprint": self.corpus.fingerprint()},
                "boxes": len(self.cases),
                "images": len({case.source for case in self.cases}),
                "patients": (patients := len({case.patient for case in self.cases})),
                "notices": few_patients(patients),
                "cut": self.cut,
                "thresholds": list(THRESHOLDS),
                "classifiers": {name: {"mean": mean, "findings": rows} for name, (mean, rows) in summaries.items()},
            }
            self._write(content, scored)
            self.tracking.log_metrics({name: mean for name, (mean, _) in summaries.items()})
        return content

    def _scored(self, name: str) -> list[Scored]:
        """Scores of a classifier's maps in the order of the cases; one map serves all boxes of an image and finding."""
        trained = self.classifiers[name]
        maps, side = HeatMaps(trained.network), trained.image_size
        channels = trained.network.encoder.description.in_channels
        together: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, case in enumerate(self.cases):
            together[case.source, case.finding].append(number)
        found: dict[int, Scored] = {}
        for (source, finding), numbers in together.items():
            image_1CHW = read_square(source, side, channels)[None].to(self.device)
            map_HW = maps(image_1CHW, self.outputs[name][finding])[0].cpu().numpy()
            around = rectangle(map_HW, self.cut)
            for number in numbers:
                box = [edge * side for edge in self.cases[number].box]
                found[number] = Scored(
                    points_inside(map_HW, box), overlap(around, box), energy_inside(map_HW, box), map_HW.max() > 0
                )
        logger.info("%s: %d boxes in %d images", name, len(self.cases), len({source for source, _ in together}))
        return [found[number] for number in range(len(self.cases))]

    def _write(self, content: dict[str, Any], scored: Mapping[str, list[Scored]]) -> None:
        rows = [
            {"classifier": name, "finding": row["finding"], **{key: row[key] for key in row if key != "finding"}}
            for name, part in content["classifiers"].items()
            for row in [*part["findings"], {"finding": "mean", **part["mean"]}]
        ]
        boxes = [
            {"classifier": name, **case._asdict(), "box": json.dumps(case.box), **found._asdict()}
            for name, part in scored.items()
            for case, found in zip(self.cases, part, strict=True)
        ]
        figure = heat_map_figure(self.classifiers, self.outputs, self.cases, scored, self.device)
        with outputs(*(self.run_dir / name for name in FILES)) as [numbers, by_finding, by_box, picture]:
            numbers.write_text(json.dumps(_without_nan(content), indent=2) + "\n")
            pd.DataFrame(rows).to_csv(by_finding, index=False)
            pd.DataFrame(boxes).to_csv(by_box, index=False)
            figure.savefig(picture, dpi=120, format="png")
        for name in FILES:
            self.tracking.log_artifact(self.run_dir / name)
        shown = pd.DataFrame(rows)[["classifier", "finding", "boxes", "pointing", "iou", "energy"]]
        print(shown.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
        print(*content["notices"], sep="\n", end="\n" if content["notices"] else "")
        print(f"{content['boxes']} boxes in {content['images']} images. Written to {self.run_dir}/{', '.join(FILES)}")


def _without_nan(value: Any) -> Any:
    """JSON has no nan."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and value != value else value
