"""Nearest neighbours: which images are alike to an encoder, and does a crop find the image that it shows?

Shapes: N images, E channels of an embedding, K findings.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from common.evaluation.probes import knn, patient_numbers
from common.networks import Encoder
from common.sampling import generator_for

from .draw_images import neighbours_figure
from .found import Found
from .landmark_images import LandmarkImages
from .patches import embed_patches


class Neighbours(NamedTuple):
    """Images asked for (Q,), their nearest ones of other patients (Q, M), and the cosines."""

    queries: Tensor
    nearest: Tensor
    cosine: Tensor
    pixels: Tensor


class Retrieval:
    """Nearest images of other patients, and ACE's retrieval of an image by a part of itself.

    Args:
        size: side in pixels that images and crops are resized to.
        batch_size: images in a batch of the encoder.
        sides: range of a crop's side, as a share of the image's (ACE's released code).
        candidates: images among which a crop looks for its own; the code takes its batch, of a size nowhere stated.
        queries: images shown with their neighbours.
        neighbours: shown of each.
        seed: of the crops.
    """

    title = "Nearest neighbours"
    about = (
        "Images with the most similar ones of other patients, and their cosines. crop_finds_image: how often a part of "
        "an image is most similar to its own image among some. knn_auc: findings predicted from the nearest images of "
        "other patients, 0.5 is chance."
    )
    highest, lowest = ("crop_finds_image", "knn_auc"), ()

    def __init__(
        self,
        size: int,
        batch_size: int,
        sides: tuple[float, float] = (0.3, 0.8),
        candidates: int = 32,
        queries: int = 4,
        neighbours: int = 3,
        seed: int = 0,
    ):
        self.size, self.batch_size, self.sides, self.candidates = size, batch_size, sides, candidates
        self.queries, self.neighbours, self.seed = queries, neighbours, seed

    def __call__(self, encoder: Encoder, images: LandmarkImages) -> Found:
        """`crop_finds_image` with `chance`; `knn_auc` (mean over findings) where the data set has labels."""
        index_N = torch.arange(len(images))
        whole_N4 = torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=torch.float64).expand(len(images), 4)
        whole_NE, crop_NE = (
            embed_patches(encoder, images, index_N, boxes, self.size, self.batch_size)
            for boxes in (whole_N4, self.crops(len(images)))
        )
        numbers = crop_retrieval(whole_NE, crop_NE, self.candidates)
        if images.labels is not None:
            numbers |= knn(whole_NE, images.labels, images.patients)
        return Found(numbers, self._shown(whole_NE, images))

    def draw(self, shown: Neighbours) -> Figure:
        """Images and their neighbours."""
        return neighbours_figure(shown)

    def crops(self, count: int) -> Tensor:
        """Boxes (N, 4), each anywhere in its image."""
        draws = [torch.rand(3, generator=generator_for(self.seed, 1, i), dtype=torch.float64) for i in range(count)]
        drawn_N3 = torch.stack(draws)
        side_N1 = self.sides[0] + drawn_N3[:, :1] * (self.sides[1] - self.sides[0])
        first_N2 = drawn_N3[:, 1:] * (1 - side_N1)
        return torch.cat([first_N2, first_N2 + side_N1], dim=1)

    def _shown(self, whole_NE: Tensor, images: LandmarkImages) -> Neighbours:
        queries = torch.linspace(0, len(images) - 1, min(self.queries, len(images))).round().long().unique()
        unit_NE, patients = F.normalize(whole_NE, dim=1), patient_numbers(images.patients)
        cosine = (unit_NE[queries] @ unit_NE.T).masked_fill(patients[queries, None] == patients, -torch.inf)
        best, nearest = cosine.topk(min(self.neighbours, len(images)), dim=1)
        wanted = torch.cat([queries[:, None], nearest], dim=1)
        return Neighbours(queries, nearest, best, images.pixels(wanted.flatten()).unflatten(0, wanted.shape))


def crop_retrieval(whole_NE: Tensor, crop_NE: Tensor, candidates: int) -> dict[str, float]:
    """Share of crops whose most similar image, of so many, is the one that they were cut from; and chance.

    Args:
        whole_NE: embeddings of images.
        crop_NE: of a crop of each.
        candidates: images in a group; the last group may be smaller, and one of a single image is left out.
    """
    right, chance, counted = 0.0, 0.0, 0
    for whole, crop in zip(whole_NE.split(candidates), crop_NE.split(candidates), strict=True):
        if len(whole) > 1:
            cosine = F.normalize(crop, dim=1) @ F.normalize(whole, dim=1).T
            right += float((cosine.argmax(1) == torch.arange(len(whole))).sum())
            chance, counted = chance + 1, counted + len(whole)
    if not counted:
        return {"crop_finds_image": float("nan"), "chance": float("nan")}
    return {"crop_finds_image": right / counted, "chance": chance / counted}
