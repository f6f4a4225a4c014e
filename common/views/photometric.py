"""Changes of brightness, contrast and sharpness that leave every pixel where it is.

Shapes: B images, C channels, H W pixels, N the images that an operation was drawn for.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from kornia.augmentation import RandomClahe
from kornia.color import lab_to_rgb, rgb_to_lab
from kornia.filters import filter2d, filter2d_separable
from torch import Generator, Tensor

from ..sampling import Params
from .boxes import check_range


class Photometric:
    """Brightness and contrast, Gaussian blur, sharpening and CLAHE, each with its own probability.

    ACE's augmentation: the order and probabilities are the paper's released ones, the ranges those of
    albumentations 1.x, which the release leaves at their defaults. Values saturate at 0 and 1 after
    every operation; they are not rounded to 8 bits.

    Args:
        brightness_contrast: probability of x -> a x + b, a in 1 +- contrast_limit, b in +- brightness_limit.
        blur: probability of a Gaussian blur.
        sharpen: probability of sharpening.
        clahe: probability of contrast-limited adaptive histogram equalisation (CLAHE).
        brightness_limit: largest shift, as a share of the full range.
        contrast_limit: largest change of the factor.
        blur_sizes: odd kernel sides in pixels, one is drawn; sigma is 0.3 (side - 1) / 2 + 0.5.
        sharpen_alpha: range of the sharpened image's share, in [0, 1].
        sharpen_lightness: range of the gain of the sharpened image on a flat area.
        clahe_limit: range of the clip limit, in multiples of a flat histogram.
        clahe_tiles: tiles per side; a tile of fewer than 256 pixels is equalised almost without a limit.

    Raises:
        ValueError: a probability or range outside its bounds.

    Example:
        >>> photometric = Photometric(brightness_contrast=1.0, blur=0.0, sharpen=0.0, clahe=0.0)
        >>> params = photometric.sample(Generator().manual_seed(0))
        >>> batch = {name: value[None] for name, value in params.items()}
        >>> changed = photometric.apply(torch.full((1, 1, 8, 8), 0.5), batch)
        >>> bool(torch.allclose(changed, 0.5 * params["contrast"] + params["brightness"]))
        True
    """

    def __init__(
        self,
        brightness_contrast: float = 0.5,
        blur: float = 0.5,
        sharpen: float = 0.3,
        clahe: float = 0.3,
        brightness_limit: float = 0.2,
        contrast_limit: float = 0.2,
        blur_sizes: tuple[int, ...] = (3, 5, 7),
        sharpen_alpha: tuple[float, float] = (0.2, 0.5),
        sharpen_lightness: tuple[float, float] = (0.5, 1.0),
        clahe_limit: tuple[float, float] = (1.0, 4.0),
        clahe_tiles: int = 8,
    ):
        self.probabilities = {
            "brightness_contrast": brightness_contrast,
            "blur": blur,
            "sharpen": sharpen,
            "clahe": clahe,
        }
        for name, probability in self.probabilities.items():
            if not 0 <= probability <= 1:
                raise ValueError(f"photometric.{name} is {probability}; expected a probability in [0, 1].")
        if any(side < 1 or side % 2 == 0 for side in blur_sizes):
            raise ValueError(f"photometric.blur_sizes is {tuple(blur_sizes)}; expected odd numbers of pixels.")
        self.brightness_limit = brightness_limit
        self.contrast_limit = contrast_limit
        self.blur_sizes = tuple(blur_sizes)
        self.sharpen_alpha = check_range(sharpen_alpha, (0, 1), "photometric.sharpen_alpha")
        self.sharpen_lightness = check_range(sharpen_lightness, (0, 10), "photometric.sharpen_lightness")
        self.clahe_limit = check_range(clahe_limit, (0.01, 256), "photometric.clahe_limit")
        self.clahe_tiles = clahe_tiles

    def sample(self, generator: Generator) -> Params:
        """Draw one image's parameters; a parameter at its neutral value means the operation is off.

        Returns:
            scalars: `contrast` (neutral 1), `brightness` (0), `blur_size` in pixels (1), `sharpen_alpha` (0),
            `sharpen_lightness`, `clahe_limit` (0).
        """
        # One draw of fixed length: switching one operation off leaves the others as they were.
        draws = torch.rand(10, generator=generator, dtype=torch.float64).tolist()
        on = {name: draws[i] < p for i, (name, p) in enumerate(self.probabilities.items())}
        side = self.blur_sizes[int(draws[6] * len(self.blur_sizes))]
        values = {
            "contrast": 1 + self.contrast_limit * (2 * draws[4] - 1) if on["brightness_contrast"] else 1.0,
            "brightness": self.brightness_limit * (2 * draws[5] - 1) if on["brightness_contrast"] else 0.0,
            "blur_size": float(side) if on["blur"] else 1.0,
            "sharpen_alpha": _between(self.sharpen_alpha, draws[7]) if on["sharpen"] else 0.0,
            "sharpen_lightness": _between(self.sharpen_lightness, draws[8]),
            "clahe_limit": _between(self.clahe_limit, draws[9]) if on["clahe"] else 0.0,
        }
        return {name: torch.tensor(value, dtype=torch.float32) for name, value in values.items()}

    def apply(self, images_BCHW: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Change a batch, every image by its own parameters and independently of the others.

        Args:
            images_BCHW: float in [0, 1], one or three channels.
            params: stacked parameters from `sample`, each (B,).

        Returns:
            changed images, same shape, in [0, 1].
        """
        p = {name: value.to(images_BCHW.device) for name, value in params.items()}
        with torch.autocast(images_BCHW.device.type, enabled=False):
            images = adjust(images_BCHW, p["contrast"], p["brightness"])
            images = apply_where(p["blur_size"] > 1, blur, images, p["blur_size"], largest=max(self.blur_sizes))
            images = apply_where(p["sharpen_alpha"] > 0, sharpen, images, p["sharpen_alpha"], p["sharpen_lightness"])
            return apply_where(p["clahe_limit"] > 0, equalise, images, p["clahe_limit"], tiles=self.clahe_tiles)


def adjust(images_BCHW: Tensor, contrast_B: Tensor, brightness_B: Tensor) -> Tensor:
    """Contrast times the image plus brightness, saturated to [0, 1]."""
    return (images_BCHW * contrast_B[:, None, None, None] + brightness_B[:, None, None, None]).clamp_(0, 1)


def blur(images_NCHW: Tensor, side_N: Tensor, largest: int) -> Tensor:
    """Gaussian blur with one kernel side per image, truncated at that side; borders are mirrored.

    Args:
        images_NCHW: float images.
        side_N: odd kernel side in pixels; sigma follows from it as in OpenCV.
        largest: largest side that can occur, in pixels.
    """
    offset_K = torch.arange(largest, device=side_N.device) - (largest - 1) / 2
    sigma_N1 = (0.3 * ((side_N - 1) / 2 - 1) + 0.8)[:, None]
    kernel_NK = torch.exp(-(offset_K**2) / (2 * sigma_N1**2)) * (offset_K.abs() <= (side_N[:, None] - 1) / 2)
    kernel_NK = kernel_NK / kernel_NK.sum(1, keepdim=True)
    return filter2d_separable(images_NCHW, kernel_NK, kernel_NK, border_type="reflect")


def sharpen(images_NCHW: Tensor, alpha_N: Tensor, lightness_N: Tensor) -> Tensor:
    """Blend each image with its high-pass copy: (1 - alpha) x + alpha ((9 + lightness) x - sum of the 3 x 3 block)."""
    kernel_N33 = -alpha_N[:, None, None].repeat(1, 3, 3)
    kernel_N33[:, 1, 1] = (1 - alpha_N) + alpha_N * (8 + lightness_N)
    return filter2d(images_NCHW, kernel_N33, border_type="reflect").clamp_(0, 1)


def equalise(images_NCHW: Tensor, limit_N: Tensor, tiles: int) -> Tensor:
    """CLAHE on tiles x tiles parts with one clip limit per image; on lightness when the images have colour."""
    if images_NCHW.shape[1] == 1:
        return _clahe(images_NCHW, limit_N, tiles)
    lab = rgb_to_lab(images_NCHW)
    lightness = _clahe((lab[:, :1] / 100).clamp(0, 1), limit_N, tiles) * 100
    return lab_to_rgb(torch.cat([lightness, lab[:, 1:]], dim=1)).clamp_(0, 1)


def _clahe(images_NCHW: Tensor, limit_N: Tensor, tiles: int) -> Tensor:
    transform = _kornias_clahe(tiles)
    return transform.apply_transform(images_NCHW, {"clip_limit_factor": limit_N}, transform.flags)


@cache
def _kornias_clahe(tiles: int) -> RandomClahe:
    """Kornia's function takes one limit for a batch, its transform one per image; making it is many operations."""
    return RandomClahe(grid_size=(tiles, tiles), p=1.0)


def apply_where(
    on_B: Tensor, operation: Callable[..., Tensor], images_BCHW: Tensor, *params_B: Tensor, **options: Any
) -> Tensor:
    """Apply an operation to the images it was drawn for, often less than half of a batch."""
    if images_BCHW.is_cuda:  # counting them would make the host wait for the GPU
        return torch.where(on_B[:, None, None, None], operation(images_BCHW, *params_B, **options), images_BCHW)
    (index_N,) = torch.nonzero(on_B, as_tuple=True)
    if not len(index_N):
        return images_BCHW
    changed_NCHW = operation(images_BCHW[index_N], *(param_B[index_N] for param_B in params_B), **options)
    return images_BCHW.index_copy(0, index_N, changed_NCHW)


def _between(bounds: tuple[float, float], draw: float) -> float:
    return bounds[0] + (bounds[1] - bounds[0]) * draw
