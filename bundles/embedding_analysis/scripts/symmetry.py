"""Left and right: does an encoder see a landmark of one side as the mirror image of its partner?

Shapes: N images, K pairs of landmarks, E channels of an embedding.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from common.files import DatasetError
from common.networks import Encoder

from .draw_landmarks import symmetry_figure
from .found import Found
from .landmark_images import LandmarkImages
from .patches import embed_patches, squares
from .plane import plane
from .sides import compare, partners


class Sides(NamedTuple):
    """Cosines of left and right patches, (N, K) and nan where a landmark is absent; and all patches in one map.

    Args:
        cosines: by name, the measured ones first.
        plane: (P, 2) of the patches as they are, and of their mirror images.
        landmark: (P,) number of each patch's landmark.
        names: of the landmarks.
        pairs: of the K pairs.
    """

    cosines: dict[str, Tensor]
    plane: dict[str, Tensor]
    landmark: Tensor
    names: list[str]
    pairs: list[str]


class Symmetry:
    """Cosine between the patch about a left landmark and the mirrored patch about its right partner.

    Beside it stand what the number would be for nothing: the same two patches without mirroring, and the mirrored right
    patches of the image's other landmarks.

    Args:
        size: side in pixels that patches are resized to.
        batch_size: patches in a batch of the encoder.
        side: of the patches, as a share of the image's.
        pairs: names of left and right landmarks; None finds those that differ in nothing but `left` and `right`.
        perplexity: of t-SNE.
        learning_rate: of t-SNE; None is scikit-learn's.
        seed: of t-SNE.
    """

    title = "Left and right"
    about = (
        "Patches about landmarks and their mirror images, in one map: where an encoder knows that the sides mirror "
        "each other, the mirrored right patches lie where the left ones do. mirrored: mean cosine of a left patch with "
        "the mirrored one of its partner; plain: without mirroring; others: with the mirrored patches of other "
        "landmarks. partner_found: how often the partner is the most similar of them."
    )
    highest, lowest = ("partner_found", "mirrored"), ()

    def __init__(
        self,
        size: int,
        batch_size: int,
        side: float = 0.25,
        pairs: Sequence[Sequence[str]] | None = None,
        perplexity: float = 50.0,
        learning_rate: float | None = None,
        seed: int = 0,
    ):
        self.size, self.batch_size, self.side, self.pairs = size, batch_size, side, pairs
        self.perplexity, self.learning_rate, self.seed = perplexity, learning_rate, seed

    def __call__(self, encoder: Encoder, images: LandmarkImages) -> Found:
        """Mean cosines `mirrored`, `plain` and `others`, and `partner_found`.

        The last is the share of left patches that are most similar to the mirrored patch of their own partner, among
        those of the image.
        """
        pairs = partners(images.names) if self.pairs is None else [(left, right) for left, right in self.pairs]
        if not pairs:
            problem = f"none of its landmarks are left and right of each other: {', '.join(images.names)}"
            raise DatasetError(
                images.store.corpus.name, problem, "Give `pairs`, or `analyses#symmetry#_disabled_: true`"
            )
        sides_K2 = torch.tensor([[images.names.index(name) for name in pair] for pair in pairs])
        points_NK22 = images.points_NL2[:, sides_K2]  # left and right, (row, col)
        present_NK = points_NK22.isfinite().all(-1).all(-1)
        centres_NK2 = points_NK22.nan_to_num(0.5)
        left_NKE, right_NKE = (self._embed(encoder, images, centres_NK2[:, :, side], flip=False) for side in (0, 1))
        back_NKE, turned_NKE = (self._embed(encoder, images, centres_NK2[:, :, side], flip=True) for side in (0, 1))
        numbers, cosines = compare(left_NKE, right_NKE, turned_NKE, present_NK)
        # Of pairs that an image has, left patches and then right ones; as they are, and then mirrored.
        every = [vectors_NKE[present_NK] for vectors_NKE in (left_NKE, right_NKE, back_NKE, turned_NKE)]
        places_P2 = plane(torch.cat(every), self.perplexity, self.learning_rate, self.seed)
        plain_P2, mirrored_P2 = places_P2.chunk(2)
        pair_P = present_NK.nonzero()[:, 1]
        names = [name for pair in pairs for name in pair]
        maps = {"patches as they are": plain_P2, "patches mirrored": mirrored_P2}
        labels = [re.sub("_?left", "", left) for left, _ in pairs]
        return Found(numbers, Sides(cosines, maps, torch.cat([2 * pair_P, 2 * pair_P + 1]), names, labels))

    def draw(self, shown: Sides) -> Figure:
        """The map, and the cosines of each pair."""
        return symmetry_figure(shown.plane, shown.landmark, shown.names, shown.cosines, shown.pairs)

    def _embed(self, encoder: Encoder, images: LandmarkImages, centres_NK2: Tensor, flip: bool) -> Tensor:
        count, pairs = centres_NK2.shape[:2]
        index_P = torch.arange(count).repeat_interleave(pairs)
        boxes_P4, flip_P = squares(centres_NK2.flatten(0, 1), self.side), torch.full((count * pairs,), flip)
        vectors = embed_patches(encoder, images, index_P, boxes_P4, self.size, self.batch_size, flip_P)
        return F.normalize(vectors.double(), dim=1).unflatten(0, (count, pairs))
