"""Finding the parent: does a part lie nearer to the whole that it was cut from than to all other wholes?

Protocol: SRHRS's supplement. Of each of four images three nested parents are taken, each of which is cut into two
squares; every one of the 24 children picks the most similar of the 12 parents. Shapes: N images, K = 3 scales, 2 halves
of a parent, E channels of an embedding.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from common.files import DatasetError
from common.networks import Encoder
from common.sampling import generator_for
from common.scoring import few_patients, patient_intervals

from .draw_cosines import parents_figure
from .found import Found
from .landmark_images import LandmarkImages
from .patches import embed_patches

logger = logging.getLogger(__name__)
SCALES = {"large": (0.6, 0.3), "medium": (0.4, 0.2), "small": (0.2, 0.1)}
"""Height and width of the parents as shares of the image's height."""
BATCH = 4  # images whose parents are candidates


class Choice(NamedTuple):
    """Whether children chose right (B, H), their cosine to the own parent (B, H), and to every one (B, H, parents)."""

    right: Tensor
    own: Tensor
    every: Tensor


class FindingParent:
    """Share of children that find their parent: MAcc.

    Parents stand upright and share their centre, which is drawn so that the largest lies inside; the supplement says
    neither (C19). They are squeezed to a square, as the children are not (C18). Ties go to the first.

    Args:
        size: side in pixels that patches are resized to.
        batch_size: patches in a batch of the encoder.
        seed: of the places.
    """

    title = "Finding the parent"
    about = (
        "Three nested parents of each of four images are cut in two, and each of the 24 halves picks the most similar "
        "of the 12 parents. macc: share that picks its own, over all and by the parent's size, "
        "with the 95 % interval of each (low, high) from resampled patients. The histograms are of "
        "the cosines of correct pairs, and of all pairs of a child and a candidate."
    )
    highest, lowest = ("macc",), ()

    def __init__(self, size: int, batch_size: int, seed: int = 0):
        self.size, self.batch_size, self.seed = size, batch_size, seed

    def __call__(self, encoder: Encoder, images: LandmarkImages) -> Found:
        """Numbers: `macc` overall and by scale, `low_` and `high_` of each, and `chance`; shown is the `Choice`."""
        count = len(images) // BATCH * BATCH
        if not count:
            problem = f"{len(images)} images, fewer than the {BATCH} that finding the parent compares"
            raise DatasetError(images.store.corpus.name, problem, "Raise `image_limit`, or take another `split`")
        parents_NK4, halves_NK24 = nested_parents(count, self.seed)
        boxes_NP4 = torch.cat([parents_NK4, halves_NK24.flatten(1, 2)], dim=1)
        index_P = torch.arange(count).repeat_interleave(boxes_NP4.shape[1])
        vectors = embed_patches(encoder, images, index_P, boxes_NP4.flatten(0, 1), self.size, self.batch_size)
        vectors_NPE, scales = vectors.unflatten(0, (count, -1)), len(SCALES)
        choice = choose(vectors_NPE[:, :scales], vectors_NPE[:, scales:].unflatten(1, (scales, 2)))
        numbers = shares(choice.right, images.patients[:count], self.seed)
        for notice in few_patients(len(set(images.patients[:count]))):
            logger.warning("%s: %s", self.title, notice)
        return Found({**numbers, "chance": 1 / (BATCH * scales), "children": float(choice.right.numel())}, choice)

    def draw(self, shown: Choice) -> Figure:
        """The two histograms."""
        return parents_figure(shown.own, shown.every, shown.right.double().mean().item())


def shares(right_BH: Tensor, patients: Sequence[str], seed: int = 0) -> dict[str, float]:
    """`macc` overall and by scale, and the bounds of each: `low_macc`, `high_macc_large` and so on.

    Patients are resampled with what their images' children chose; the candidates stay those of the four images.

    Args:
        right_BH: whether children chose right.
        patients: of the N images.
        seed: of the draws.
    """
    right_NK = right_BH.reshape(-1, len(SCALES), 2).double().mean(2).numpy()

    def of(rows: np.ndarray) -> np.ndarray:
        return np.r_[right_NK[rows].mean(), right_NK[rows].mean(0)]

    names = ["macc", *(f"macc_{name}" for name in SCALES)]
    found = dict(zip(names, of(np.arange(len(right_NK))).tolist(), strict=True))
    for side, bounds in zip(("low", "high"), patient_intervals(of, patients, seed=seed), strict=True):
        found |= {f"{side}_{name}": bound for name, bound in zip(names, bounds.tolist(), strict=True)}
    return found


def nested_parents(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Boxes of parents (N, 3, 4), from large to small, and of their upper and lower halves (N, 3, 2, 4).

    Args:
        count: N, images; the places of an image depend on its number and the seed alone.
        seed: of the places.
    """
    sizes_K2 = torch.tensor(list(SCALES.values()), dtype=torch.float64)
    draws = [torch.rand(2, generator=generator_for(seed, 0, index), dtype=torch.float64) for index in range(count)]
    centres_N12 = (sizes_K2[0] / 2 + torch.stack(draws) * (1 - sizes_K2[0]))[:, None]
    parents_NK4 = torch.cat([centres_N12 - sizes_K2 / 2, centres_N12 + sizes_K2 / 2], dim=2)
    top, left, bottom, right = parents_NK4.unbind(2)
    middle = (top + bottom) / 2
    upper, lower = (torch.stack(edges, dim=2) for edges in ((top, left, middle, right), (middle, left, bottom, right)))
    return parents_NK4, torch.stack([upper, lower], dim=2)


def choose(parents_NKE: Tensor, halves_NK2E: Tensor) -> Choice:
    """Let every half choose among the parents of its four images.

    Args:
        parents_NKE: embeddings; N is a multiple of four.
        halves_NK2E: of their halves.

    Example:
        >>> parents = torch.eye(12).reshape(4, 3, 12)
        >>> choose(parents, parents[:, :, None].expand(4, 3, 2, 12)).right.all()
        tensor(True)
    """
    parents_BPE = F.normalize(parents_NKE.double(), dim=-1).unflatten(0, (-1, BATCH)).flatten(1, 2)
    halves_BHE = F.normalize(halves_NK2E.double(), dim=-1).unflatten(0, (-1, BATCH)).flatten(1, 3)
    cosine_BHP = halves_BHE @ parents_BPE.transpose(1, 2)
    truth_H = torch.arange(parents_BPE.shape[1]).repeat_interleave(2)
    own_BH = cosine_BHP[:, torch.arange(len(truth_H)), truth_H]
    return Choice(cosine_BHP.argmax(2) == truth_H, own_BH, cosine_BHP)
