"""Landmarks as an encoder sees them: patches about each, embedded, and laid out in a plane.

Shapes: P patches, E channels of an embedding.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from torch import Tensor

from common.networks import Encoder

from .found import Found
from .landmark_images import LandmarkImages
from .patches import embed_patches, squares


class LandmarkMap(NamedTuple):
    """Places of patches in the plane, (P, 2) in [0, 1], by patch size; and the landmark of each, (P,)."""

    places: Mapping[float, Tensor]
    landmark: Mapping[float, Tensor]
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

    title = "Landmarks, t-SNE"

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
        index_P, landmark_P = images.present.nonzero().unbind(1)
        centres_P2 = images.points_NL2[index_P, landmark_P]
        patients = torch.tensor([sorted(set(images.patients)).index(images.patients[index]) for index in index_P])
        vectors, numbers = {}, {}
        for side in self.sides:
            boxes_P4 = squares(centres_P2, side)
            vectors[side] = embed_patches(encoder, images, index_P, boxes_P4, self.size, self.batch_size)
            numbers[f"same_landmark_{side:g}"] = same_landmark(vectors[side], landmark_P, patients)
            numbers[f"silhouette_{side:g}"] = float(silhouette_score(vectors[side], landmark_P, metric="cosine"))
        places_P2 = self._plane(torch.cat(list(vectors.values())))
        places = dict(zip(self.sides, places_P2.split(len(landmark_P)), strict=True))
        return Found(numbers, LandmarkMap(places, dict.fromkeys(self.sides, landmark_P), images.names))

    def _plane(self, vectors_PE: Tensor) -> Tensor:
        perplexity = min(self.perplexity, (len(vectors_PE) - 1) / 3)
        rate = "auto" if self.learning_rate is None else self.learning_rate
        tsne = TSNE(2, perplexity=perplexity, learning_rate=rate, init="pca", random_state=self.seed)
        places_P2 = torch.from_numpy(tsne.fit_transform(vectors_PE.numpy()))
        low_2, high_2 = places_P2.amin(0), places_P2.amax(0)
        return (places_P2 - low_2) / (high_2 - low_2).clamp_min(1e-12)


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
