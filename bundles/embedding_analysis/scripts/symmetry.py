"""Left and right: does an encoder see a landmark of one side as the mirror image of its partner?

Shapes: N images, K pairs of landmarks, E channels of an embedding.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from common.files import DatasetError
from common.networks import Encoder

from .found import Found
from .landmark_images import LandmarkImages
from .patches import embed_patches, squares


class Similarity(NamedTuple):
    """Cosines of left patches with right ones, (N, K) each and nan where a landmark is absent, and the pairs' names."""

    mirrored: Tensor
    plain: Tensor
    others: Tensor
    names: list[str]


class Symmetry:
    """Cosine between the patch about a left landmark and the mirrored patch about its right partner.

    Beside it stand what the number would be for nothing: the same two patches without mirroring, and the mirrored right
    patches of the image's other landmarks.

    Args:
        size: side in pixels that patches are resized to.
        batch_size: patches in a batch of the encoder.
        side: of the patches, as a share of the image's.
        pairs: names of left and right landmarks; None finds those that differ in nothing but `left` and `right`.
    """

    title = "Left and right"

    def __init__(self, size: int, batch_size: int, side: float = 0.25, pairs: Sequence[Sequence[str]] | None = None):
        self.size, self.batch_size, self.side, self.pairs = size, batch_size, side, pairs

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
        left_NKE = self._embed(encoder, images, centres_NK2[:, :, 0], flip=False)
        right_NKE, turned_NKE = (self._embed(encoder, images, centres_NK2[:, :, 1], flip) for flip in (False, True))
        return Found(*compare(left_NKE, right_NKE, turned_NKE, present_NK, [pair[0] for pair in pairs]))

    def _embed(self, encoder: Encoder, images: LandmarkImages, centres_NK2: Tensor, flip: bool) -> Tensor:
        count, pairs = centres_NK2.shape[:2]
        index_P = torch.arange(count).repeat_interleave(pairs)
        boxes_P4, flip_P = squares(centres_NK2.flatten(0, 1), self.side), torch.full((count * pairs,), flip)
        vectors = embed_patches(encoder, images, index_P, boxes_P4, self.size, self.batch_size, flip_P)
        return F.normalize(vectors.double(), dim=1).unflatten(0, (count, pairs))


def compare(
    left_NKE: Tensor, right_NKE: Tensor, turned_NKE: Tensor, present_NK: Tensor, names: Sequence[str]
) -> tuple[dict[str, float], Similarity]:
    """Numbers, and the cosines by pair; `names` are the left landmarks'.

    Args:
        left_NKE: unit vectors of left patches.
        right_NKE: of right ones.
        turned_NKE: of right ones that were mirrored.
        present_NK: whether an image has both landmarks.
        names: of the pairs.
    """
    cosine_NKK = left_NKE @ turned_NKE.transpose(1, 2)
    cosine_NKK = cosine_NKK.masked_fill(~present_NK[:, None, :], torch.nan)
    own = torch.eye(len(names), dtype=torch.bool)
    values = (
        cosine_NKK.diagonal(dim1=1, dim2=2),
        (left_NKE * right_NKE).sum(-1),
        cosine_NKK.masked_fill(own, torch.nan).nanmean(2),
    )
    mirrored, plain, others = (value.masked_fill(~present_NK, torch.nan) for value in values)
    is_found_NK = cosine_NKK.nan_to_num(-torch.inf).argmax(2) == torch.arange(len(names))
    numbers = {"mirrored": mirrored, "plain": plain, "others": others}
    means = {name: value.nanmean().item() for name, value in numbers.items()}
    means["partner_found"] = is_found_NK[present_NK].double().mean().item()
    return means, Similarity(mirrored, plain, others, [name.replace("_left", "") for name in names])


def partners(names: Sequence[str]) -> list[tuple[str, str]]:
    """Left and right landmarks by their names.

    Example:
        >>> partners(["hilum_right", "carina", "hilum_left"])
        [('hilum_left', 'hilum_right')]
    """
    return [
        (name, name.replace("left", "right"))
        for name in names
        if "left" in name and name.replace("left", "right") in names
    ]
