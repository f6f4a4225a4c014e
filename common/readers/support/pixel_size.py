"""Millimetres between the pixels of a file that may have been resized since the publisher measured them."""

from collections.abc import Sequence
from pathlib import Path

from ...files.errors import UnreadableImage
from ...images.decode import image_size


def common_size(images: Sequence[Path]) -> tuple[int, int] | None:
    """Return (height, width) of all images, judged by the first, the middle and the last.

    A hundred thousand headers take minutes on a network's disk, and whoever resizes a data set gives all one size.

    Returns:
        None where these differ, or one cannot be read.
    """
    chosen = {images[place] for place in (0, len(images) // 2, -1)} if images else ()
    try:
        sizes = {image_size(image) for image in chosen}
    except UnreadableImage:
        return None
    return sizes.pop() if len(sizes) == 1 else None


def resized_spacing(
    spacing: tuple[float, float], original: tuple[float, float], size: tuple[int, int]
) -> tuple[float, float] | None:
    """Return the spacing of a resized image, which shows the same millimetres in other pixels.

    Args:
        spacing: millimetres between pixels of the original, (row, col).
        original: its height and width.
        size: height and width of the file.

    Returns:
        (row, col); None where a number is none, or not above 0.
    """
    row, col = (step * before / after for step, before, after in zip(spacing, original, size, strict=True))
    return (row, col) if row > 0 and col > 0 else None
