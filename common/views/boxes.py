"""Boxes drawn at random; a box is (top, left, bottom, right) in pixels, where pixel i covers [i, i + 1]."""

import math

import torch
from torch import Generator, Tensor

ATTEMPTS = 10  # as torchvision's RandomResizedCrop
QUARTERS = ("top_left", "top_right", "bottom_left", "bottom_right")


def random_resized_box(
    generator: Generator,
    size: tuple[int, int],
    area: tuple[float, float],
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
    centred: bool = False,
) -> Tensor:
    """Draw a box of random area and shape inside an image, as RandomResizedCrop does.

    The box is not rounded to whole pixels, since resampling needs no whole pixels. When none of ten
    shapes fits, the largest centred box of an allowed shape is taken.

    Args:
        generator: CPU generator; a fixed count of numbers is drawn from it.
        size: (height, width) of the image in pixels.
        area: lowest and highest share of the image's area, in (0, 1].
        ratio: lowest and highest width / height, drawn uniformly in its logarithm.
        centred: place the box about the image's centre instead of anywhere.

    Returns:
        float32 box (4,) inside [0, height] x [0, width].

    Example:
        >>> random_resized_box(Generator().manual_seed(0), (100, 80), area=(0.25, 0.25), ratio=(0.8, 0.8), centred=True)
        tensor([25., 20., 75., 60.])
    """
    image_height, image_width = size
    draws = torch.rand(2 * ATTEMPTS + 2, generator=generator, dtype=torch.float64).tolist()
    place_row, place_col = (0.5, 0.5) if centred else draws[-2:]
    log_low, log_high = math.log(ratio[0]), math.log(ratio[1])
    for area_draw, ratio_draw in zip(draws[:ATTEMPTS], draws[ATTEMPTS:-2], strict=True):
        share = area[0] + (area[1] - area[0]) * area_draw
        shape = math.exp(log_low + (log_high - log_low) * ratio_draw)
        height = math.sqrt(share * image_height * image_width / shape)
        width = height * shape
        if height <= image_height and width <= image_width:
            break
    else:
        height = min(image_height, image_width / ratio[0])
        width = min(image_width, image_height * ratio[1])
        place_row = place_col = 0.5
    top = (image_height - height) * place_row
    left = (image_width - width) * place_col
    return torch.tensor([top, left, top + height, left + width], dtype=torch.float32)


def quarter_boxes(box_4: Tensor) -> Tensor:
    """Boxes (4, 4) of the quarters of a box (4,), in the order of QUARTERS.

    Example:
        >>> quarter_boxes(torch.tensor([0.0, 0.0, 4.0, 8.0]))[0]
        tensor([0., 0., 2., 4.])
    """
    top, left, bottom, right = box_4.unbind()
    rows = torch.stack([top, (top + bottom) / 2, bottom])
    cols = torch.stack([left, (left + right) / 2, right])
    return torch.stack([torch.stack([rows[r], cols[c], rows[r + 1], cols[c + 1]]) for r in (0, 1) for c in (0, 1)])


def thinnest_crop(side: float, area: tuple[float, float] | None, ratio: tuple[float, float]) -> float:
    """Shorter side in pixels of the smallest crop that `random_resized_box` may draw of a region.

    Args:
        side: the region's shorter side in pixels.
        area: as of `random_resized_box`; None where the whole region is taken.
        ratio: as of `random_resized_box`.
    """
    return side if area is None else side * math.sqrt(area[0] * min(ratio[0], 1 / ratio[1]))


def check_thickness(pixels: float, what: str, remedy: str) -> None:
    """Refuse a crop thinner than a pixel: enlarged, it shows nothing but a brightness.

    Args:
        pixels: its shorter side.
        what: the crop and where it comes from, with the values that make it so.
        remedy: the keys to change.

    Raises:
        ValueError: `pixels` is below 1.
    """
    if pixels < 1:
        raise ValueError(f"{what} is {pixels:.2g} pixels thin; expected a pixel or more. {remedy}")


def check_range(values: tuple[float, float], bounds: tuple[float, float], key: str) -> tuple[float, float]:
    """Return (low, high) as a tuple after checking its order and bounds.

    Raises:
        ValueError: not two ordered numbers within `bounds`; the message names `key`.
    """
    low, high = values
    if not bounds[0] <= low <= high <= bounds[1]:
        raise ValueError(
            f"`{key}` is {tuple(values)}; expected two numbers low <= high within {bounds}. Correct it in the config."
        )
    return low, high


def check_fits(crop: int, size: tuple[int, int], key: str) -> None:
    """Refuse images smaller than a crop, which would only be enlarged.

    Raises:
        ValueError: `crop` pixels exceed a side of `size` (height, width); the message names `key`.
    """
    if crop > min(size):
        raise ValueError(
            f"crops of {crop} pixels (`{key}` of the view) are larger than the images of {size[0]} x {size[1]} pixels. "
            f"Build the store at {crop} pixels or more, or make the crops smaller."
        )
