"""Partners on the left and on the right, and how alike they are.

Shapes: N images, K pairs of landmarks, E channels of an embedding.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def compare(
    left_NKE: Tensor, right_NKE: Tensor, turned_NKE: Tensor, present_NK: Tensor
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Numbers, and the cosines (N, K) that they are means of.

    Args:
        left_NKE: unit vectors of left patches.
        right_NKE: of right ones.
        turned_NKE: of right ones that were mirrored.
        present_NK: whether an image has both landmarks.
    """
    cosine_NKK = (left_NKE @ turned_NKE.transpose(1, 2)).masked_fill(~present_NK[:, None, :], torch.nan)
    own = torch.eye(present_NK.shape[1], dtype=torch.bool)
    cosines = {
        "mirrored": cosine_NKK.diagonal(dim1=1, dim2=2),
        "plain": (left_NKE * right_NKE).sum(-1),
        "others": cosine_NKK.masked_fill(own, torch.nan).nanmean(2),
    }
    cosines = {name: value.masked_fill(~present_NK, torch.nan) for name, value in cosines.items()}
    numbers = {name: value.nanmean().item() for name, value in cosines.items()}
    is_found_NK = cosine_NKK.nan_to_num(-torch.inf).argmax(2) == torch.arange(present_NK.shape[1])
    numbers["partner_found"] = is_found_NK[present_NK].double().mean().item()
    return numbers, cosines


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
