"""Pictures that a client holds in memory, whose values nothing describes."""

from torch import Tensor


def white_is_one(image: Tensor) -> Tensor:
    """Scale a picture so that white is 1, as for one that is read from a file.

    Whole numbers, and values above 1, are taken for as many bits as they use, at least 8; a fraction stays as it is.

    Args:
        image: (C, H, W), or (H, W) of grey.

    Returns:
        (C, H, W), floating point.
    """
    picture = image if image.ndim == 3 else image[None]
    if picture.max() > 1 or not picture.is_floating_point():
        return picture / (2 ** max(8, int(picture.max()).bit_length()) - 1)
    return picture
