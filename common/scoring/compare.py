"""Two runs on the same images: how much better one is, and how sure that is.

Intervals of two runs overlap long before their difference is in doubt, since what is hard for one is hard for both.
So the difference itself is resampled, with patients as units.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..run_folder import EVALUATED_IMAGES, EVALUATION
from .bootstrap import LEVEL, few_patients, patient_intervals
from .scorers import Values
from .tasks import TASKS

SAME = ("task", "corpus", "split", "iou")
"""What two evaluations must agree in, beside classes, images and labels; by the names of `evaluation.json`."""


class IncomparableError(ValueError):
    """Two runs that cannot be compared.

    Args:
        problem: what is in the way.
        remedy: what to do.
    """

    def __init__(self, problem: str, remedy: str):
        super().__init__(problem, remedy)


@dataclass(frozen=True)
class Comparison:
    """Differences of a second run from a first.

    Args:
        rows: `metric`, `class` ("mean" for the mean over classes), `first`, `second`, `difference`, `low`, `high`; nan
            where undefined.
        about: what both are evaluations of: task, data set, split, how many images and patients.
        notices: what must be known to read the numbers.
    """

    rows: list[dict[str, Any]]
    about: dict[str, Any]
    notices: list[str]

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a file; null where undefined."""
        rows = [
            {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
            for row in self.rows
        ]
        return {**self.about, "level": LEVEL, "differences": rows, "notices": self.notices}


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation left in a folder.

    Args:
        folder: of the run.
        said: `evaluation.json`.
        images: a row per image, by its `source`.
    """

    folder: Path
    said: dict[str, Any]
    images: pd.DataFrame

    @property
    def classes(self) -> list[str]:
        """Names of its classes, structures, landmarks or findings."""
        return self.said["classes"]

    def rows(self, sources: Sequence[str]) -> list[dict[str, Any]]:
        """What it says of each of these images."""
        return self.images.loc[list(sources)].to_dict("records")  # type: ignore[return-value]


def read_evaluation(folder: Path) -> Evaluation:
    """Read what an evaluation left.

    Raises:
        IncomparableError: there is none, or it lacks what a comparison needs.
    """
    again = f"Write: python -m common evaluate {folder}"
    try:
        said = json.loads((folder / EVALUATION).read_text(encoding="utf-8"))
        # as text: an image may be called 001 or NA
        images = pd.read_csv(folder / EVALUATED_IMAGES, converters={"source": str, "patient": str})
    except FileNotFoundError as error:
        raise IncomparableError(
            f"{folder} holds no {Path(error.filename).name}: it was not evaluated.", again
        ) from error
    except (OSError, ValueError) as error:
        raise IncomparableError(f"The evaluation in {folder} cannot be read: {error}.", again) from error
    if said.get("task") not in TASKS or "source" not in images:
        raise IncomparableError(f"The evaluation in {folder} does not say what its images' rows hold.", again)
    if images["source"].duplicated().any():
        twice = images["source"][images["source"].duplicated()].iloc[0]
        raise IncomparableError(f"{folder / EVALUATED_IMAGES} names {twice} twice, so that no pair is certain.", again)
    return Evaluation(folder, said, images.set_index("source", drop=False))


def compare(first: Evaluation, second: Evaluation, resamples: int = 1000, seed: int = 0) -> Comparison:
    """Second less first, image by image the same, with intervals over patients.

    Args:
        first: one run's.
        second: another's of the same images.
        resamples: of the paired percentile bootstrap: both runs are measured on each draw of patients.
        seed: of the draws.

    Raises:
        IncomparableError: they are not of the same task, split, classes, images and labels.
    """
    check_alike(first, second)
    sources, task, notices = first.images["source"].tolist(), TASKS[first.said["task"]], []
    rows_of_runs = [run.rows(sources) for run in (first, second)]
    _check_labels(sources, *(task.truth(rows, first.classes) for rows in rows_of_runs))
    options = {name: first.said[name] for name in ("mean_of", "exclusive", "ordered") if name in first.said}
    before, after = (task.scorer(rows, first.classes, **options) for rows in rows_of_runs)
    patients = first.images["patient"].tolist() if "patient" in first.images else sources
    if patients is sources:
        notices.append("The evaluations do not tell patients: each image counts as one of its own.")
    notices += few_patients(len(set(patients)))
    all_rows = np.arange(len(sources))
    numbers_S = before(all_rows), after(all_rows)
    bounds_2S = patient_intervals(lambda rows: after(rows) - before(rows), patients, resamples, LEVEL, seed)
    rows = []
    for name, old, new, low, high in zip(before.names, *numbers_S, *bounds_2S, strict=True):
        metric, _, of = name.partition("/")
        row = {"metric": metric, "class": of or "mean", "first": float(old), "second": float(new)}
        rows.append({**row, "difference": float(new - old), "low": float(low), "high": float(high)})
    sides = [run.said.get("input_size") for run in (first, second)]
    if sides[0] != sides[1]:
        rows = [row for row in rows if row["metric"] != "error_px"]
        notices.append(f"The networks' inputs are {sides[0]} and {sides[1]} pixels wide: error_px is left out.")
    about: dict[str, Any] = {"first": str(first.folder), "second": str(second.folder)}
    about |= {key: first.said[key] for key in SAME if key in first.said}
    about |= {"lower_is_better": task.lower, "images": len(sources), "patients": len(set(patients))}
    return Comparison(rows, about | {"resamples": resamples}, notices)


def check_alike(first: Evaluation, second: Evaluation) -> None:
    """Raise IncomparableError unless both are of the same task, data set, split, classes and images."""
    for key in SAME:
        values = [run.said.get(key) for run in (first, second)]
        if values[0] != values[1]:
            raise IncomparableError(
                f"{first.folder} was evaluated with {key} {values[0]}, {second.folder} with {values[1]}.",
                "Evaluate both alike: python -m common evaluate RUN --split NAME",
            )
    for what, names in (("classes", "classes"), ("classes in the mean", "mean_of")):
        sets = [set(run.said.get(names, ())) for run in (first, second)]
        if sets[0] != sets[1]:
            raise IncomparableError(
                f"The {what} differ: {', '.join(sorted(sets[0] ^ sets[1]))} is in one of the two runs alone.",
                "Compare runs of the same classes.",
            )
    sets = [set(run.images["source"]) for run in (first, second)]
    if sets[0] != sets[1]:
        alone = sets[0] ^ sets[1]
        raise IncomparableError(
            f"The images differ: {len(alone)} are of one run alone, such as {min(alone)}.",
            "Evaluate both on one folder: python -m common evaluate RUN --dataset_dir FOLDER",
        )


def _check_labels(sources: Sequence[str], first_NK: Values, second_NK: Values) -> None:
    differ_N = ~np.isclose(first_NK, second_NK, equal_nan=True).all(1)
    if differ_N.any():
        raise IncomparableError(
            f"The labels of {differ_N.sum()} images differ between the two runs, such as those of "
            f"{sources[int(differ_N.argmax())]}.",
            "Evaluate both with the same label files and `dataset_options`.",
        )
