"""Landmarks as an encoder sees them: patches about each, embedded, and laid out in a plane.

Shapes: P patches, E channels of an embedding.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from sklearn.metrics import silhouette_score
from torch import Tensor

from common.networks import Encoder

from .draw_landmarks import map_figure
from .found import Found
from .landmark_images import LandmarkImages
from .patches import embed_patches, squares
from .plane import plane


class LandmarkMap(NamedTuple):
    """Places of patches in the plane, (P, 2) in [0, 1], by patch size; and the number of each one's landmark, (P,)."""

    places: Mapping[float, Tensor]
    landmark: Tensor
    names: tuple[str, ...]


class MapLandmarks:
    """t-SNE of patches about landmarks at several sizes, and what it shows as numbers.

    One fit for all sizes of an encoder (Adam, supplement); perplexity and rate are those of the released code.
    Distances within a t-SNE map mean little, so the numbers are of the embeddings themselves.

    Args:
        size: side in pixels that patches are resized to.
        batch_size: patches in a batch of the encoder.
        sides: of the patches, as shares of the image's.
        perplexity: of t-SNE, at most a third of the patches.
        learning_rate: of t-SNE; None takes scikit-learn's, which grows with the number of patches.
        seed: of t-SNE.
    """

    title = "Landmarks in a t-SNE map"
    about = (
        "Patches about each landmark at several sizes, in one map for each encoder. same_landmark: how often the most "
        "similar patch of another patient shows the same landmark. silhouette: of the embeddings, by landmark; 1 is "
        "clusters far apart, 0 none. Distances within a map mean little."
    )
    highest, lowest = ("same_landmark", "silhouette"), ()

    def __init__(
        self,
        size: int,
        batch_size: int,
        sides: Sequence[float] = (0.5, 0.25, 0.125),
        perplexity: float = 50.0,
        learning_rate: float | None = None,
        seed: int = 0,
    ):
        self.size, self.batch_size, self.sides = size, batch_size, tuple(sides)
        self.perplexity, self.learning_rate, self.seed = perplexity, learning_rate, seed

    def __call__(self, encoder: Encoder, images: LandmarkImages) -> Found:
        """By size: `same_landmark_*`, how often the nearest patch of another patient shows the same; `silhouette_*`."""
        images.require_landmarks()
        index_P, landmark_P = images.present.nonzero().unbind(1)
        centres_P2 = images.points_NL2[index_P, landmark_P]
        patients = torch.tensor([sorted(set(images.patients)).index(images.patients[index]) for index in index_P])
        vectors, numbers = {}, {}
        for side in self.sides:
            boxes_P4 = squares(centres_P2, side)
            vectors[side] = embed_patches(encoder, images, index_P, boxes_P4, self.size, self.batch_size)
            numbers[f"same_landmark_{side:g}"] = same_landmark(vectors[side], landmark_P, patients)
            numbers[f"silhouette_{side:g}"] = silhouette(vectors[side], landmark_P)
        joined_PE = torch.cat(list(vectors.values()))
        places_P2 = plane(joined_PE, self.perplexity, self.learning_rate, self.seed)
        places = dict(zip(self.sides, places_P2.split(len(landmark_P)), strict=True))
        return Found(numbers, LandmarkMap(places, landmark_P, images.names))

    def draw(self, shown: LandmarkMap) -> Figure:
        """A panel for each size."""
        return map_figure(dict(shown.places), shown.landmark, shown.names)


def silhouette(vectors_PE: Tensor, landmark_P: Tensor) -> float:
    """Mean silhouette of patches by landmark and cosine; nan where there is one landmark, or one patch of each."""
    if not 1 < len(landmark_P.unique()) < len(landmark_P):
        return float("nan")
    return float(silhouette_score(vectors_PE, landmark_P, metric="cosine"))


def same_landmark(vectors_PE: Tensor, landmark_P: Tensor, patient_P: Tensor) -> float:
    """Share of patches whose most similar patch of another patient shows the same landmark; nan with one patient.

    Args:
        vectors_PE: embeddings.
        landmark_P: number of the landmark.
        patient_P: number of the patient.
    """
    unit_PE = F.normalize(vectors_PE, dim=1)
    right, counted = 0, 0
    for rows in torch.arange(len(unit_PE)).split(2048):  # the whole table may not fit
        cosine = unit_PE[rows] @ unit_PE.T
        cosine[patient_P[rows, None] == patient_P] = -torch.inf
        best, nearest = cosine.max(1)
        is_known = best.isfinite()
        right += int((landmark_P[nearest] == landmark_P[rows])[is_known].sum())
        counted += int(is_known.sum())
    return right / counted if counted else float("nan")
