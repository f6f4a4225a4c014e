"""Landmarks: from heat maps to points, and how far these are off.

Shapes: B images of a batch, N images in all, L landmarks, H W space, 2 (row, col).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..images import image_size
from ..records import Record
from ..scoring.from_rows import UNITS, Row, of_landmarks
from ..scoring.scorers import Scorer
from .report import Outcome, Report, defined_mean


def peaks(maps_LHW: Tensor) -> Tensor:
    """Places (1, L, 2) of the highest value of each map, (row, col) in whole pixels; the first one where there are two.

    No map is too low to count (A36). The layout is that of MONAI's transforms of points.

    Raises:
        ValueError: a value is not finite.
    """
    if not maps_LHW.isfinite().all():
        raise ValueError("The network's output is not finite, and has no peak; no metric was computed.")
    index_L = maps_LHW.flatten(1).argmax(1)
    width = maps_LHW.shape[-1]
    return torch.stack([index_L // width, index_L % width], dim=-1)[None].float()


class LandmarkReport(Report):
    """Distances between predicted and true landmarks for MONAI's evaluator, each in three units.

    `error_px` counts pixels of the network's input, `error_image_px` pixels of the file, and `error_mm` millimetres on
    the patient where `Record.pixel_spacing` is known: two papers' "pixel errors" compare at one scale alone (A35).
    An error is the mean over landmarks of the mean over images, and an absent landmark counts nowhere.

    Args:
        landmarks: names, in the order of the points.
        image_size: side of the network's square input, pixels.
        records: of the corpus, which know the spacing.
        within: millimetres; for each, the share of points that are no farther off.

    Example:
        >>> report = LandmarkReport(["carina"], image_size=100)
        >>> report.distances(torch.tensor([[[46.5, 39.5]]]), torch.tensor([[[0.5, 0.4]]]), [(200, 300)], [None])["px"]
        array([[3.]])
    """

    def __init__(
        self,
        landmarks: Sequence[str],
        image_size: int,
        records: Sequence[Record] = (),
        within: Sequence[float] = (2.0, 5.0, 10.0),
    ):
        self.landmarks, self.image_size = list(landmarks), image_size
        self.records = {record.image: record for record in records}
        self.within = tuple(within)
        super().__init__(headline="error_px")

    def keep(self, predictions: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Keep points: (B, 1, L, 2) pixels of the network's input, and (B, L, 2) fractions of the image."""
        wanted = (len(predictions), len(self.landmarks), 2)
        if predictions.shape != (wanted[0], 1, *wanted[1:]) or labels.shape != wanted:
            raise ValueError(
                f"Predictions {tuple(predictions.shape)} and labels {tuple(labels.shape)} must be points (B, 1, L, 2) "
                f"and (B, L, 2) for the {wanted[1]} of `landmarks` {self.landmarks}."
            )
        return predictions[:, 0].double().cpu(), labels.double().cpu()

    def distances(
        self,
        predictions_NL2: Tensor,
        labels_NL2: Tensor,
        sizes: Sequence[tuple[int, int]],
        spacings: Sequence[tuple[float, float] | None],
    ) -> dict[str, np.ndarray]:
        """Euclidean distances (N, L) by unit, nan where one of the two points or the spacing is not known.

        Args:
            predictions_NL2: pixels of the network's input, 0 at the centre of the first one.
            labels_NL2: fractions of (height, width).
            sizes: (H, W) of each image's file.
            spacings: millimetres between its pixels, (row, col), or None.
        """
        off_NL2 = ((predictions_NL2 + 0.5) / self.image_size - labels_NL2).double().numpy()
        size_N12 = np.asarray(sizes, float)[:, None]
        spacing_N12 = np.asarray([spacing or (np.nan, np.nan) for spacing in spacings], float)[:, None]
        scaled = {
            "px": off_NL2 * self.image_size,
            "image_px": off_NL2 * size_N12,
            "mm": off_NL2 * size_N12 * spacing_N12,
        }
        return {unit: np.sqrt((parts**2).sum(-1)) for unit, parts in scaled.items()}

    def scorer(self, outcome: Outcome) -> Scorer:
        """Mean errors of some of the images, in each unit."""
        return of_landmarks(outcome.images, self.landmarks)

    def told(self) -> dict[str, Any]:
        """The task and its landmarks."""
        return {"task": "landmarks", "classes": self.landmarks}

    def report(self, sources: list[str], predictions: Tensor, labels: Tensor) -> Outcome:
        """Turn points (N, L, 2) of all images into numbers."""
        records = [self.records.get(source) for source in sources]
        sizes = [_size(source) for source in sources]
        spacings = [record.pixel_spacing if record else None for record in records]
        distances = self.distances(predictions, labels, sizes, spacings)
        table = [self._row(number, distances) for number in range(len(self.landmarks))]
        metrics = {
            key: defined_mean([row[key] for row in table]) for key in table[0] if key not in ("landmark", "images")
        }
        metrics |= {f"error_{unit}/{row['landmark']}": row[f"error_{unit}"] for row in table for unit in UNITS}
        images = self._images(sources, sizes, predictions, distances)
        return Outcome(metrics, table, images, notices=self._notices(sources, labels, spacings))

    def _row(self, number: int, distances: Mapping[str, np.ndarray]) -> Row:
        of_unit = {unit: values[:, number][np.isfinite(values[:, number])] for unit, values in distances.items()}
        row: Row = {"landmark": self.landmarks[number], "images": len(of_unit["px"])}
        for unit, values in of_unit.items():
            row[f"error_{unit}"] = float(values.mean()) if len(values) else float("nan")
            row[f"median_{unit}"] = float(np.median(values)) if len(values) else float("nan")
        known = of_unit["mm"]
        shares = {f"within_{bound:g}mm": (known <= bound).mean() if len(known) else np.nan for bound in self.within}
        return row | {name: float(share) for name, share in shares.items()}

    def _images(
        self,
        sources: Sequence[str],
        sizes: Sequence[tuple[int, int]],
        predictions_NL2: Tensor,
        distances: Mapping[str, np.ndarray],
    ) -> list[Row]:
        """For each image its errors, and the predicted points in pixels of its file, 0 at the first one's centre."""
        places_NL2 = (predictions_NL2.numpy() + 0.5) / self.image_size * np.asarray(sizes, float)[:, None] - 0.5
        rows = []
        for n, source in enumerate(sources):
            row: Row = {"source": source}
            row |= {f"error_{unit}": defined_mean(values[n].tolist()) for unit, values in distances.items()}
            for number, name in enumerate(self.landmarks):
                row |= {f"{name}/row": places_NL2[n, number, 0], f"{name}/col": places_NL2[n, number, 1]}
                row |= {f"{name}/error_{unit}": values[n, number] for unit, values in distances.items()}
            rows.append(row)
        return rows

    def _notices(self, sources: Sequence[str], labels_NL2: Tensor, spacings: Sequence[object]) -> list[str]:
        known_L = labels_NL2.isfinite().all(-1).sum(0).tolist()
        lacking = {name: len(sources) - known for name, known in zip(self.landmarks, known_L, strict=True)}
        found = [
            f"{name}: {count} of {len(sources)} images lack it; not counted."
            for name, count in lacking.items()
            if count
        ]
        unknown = sum(spacing is None for spacing in spacings)
        if unknown:
            found.append(f"{unknown} of {len(sources)} images have no known pixel spacing; not counted in millimetres.")
        return found


@cache
def _size(source: str) -> tuple[int, int]:
    """From the file's header, once in a training."""
    return image_size(source)
