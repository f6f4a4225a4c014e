"""ColorJitter and Gaussian blur as the contrastive methods use them.

Shapes: B images, C channels, H W pixels, N the images that an operation was drawn for.
"""

from collections.abc import Mapping

import torch
from kornia.enhance import adjust_hue, adjust_saturation_with_gray_subtraction
from kornia.filters import filter2d_separable, get_gaussian_kernel1d
from torch import Generator, Tensor

from ..sampling import Params
from .boxes import check_range
from .photometric import apply_where

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in a grey value (ITU-R 601)


class ColourJitter:
    """Random brightness, contrast, saturation and hue, then a Gaussian blur, each part with its probability.

    The semantics are torchvision's ColorJitter's: brightness multiplies, contrast mixes with the image's mean grey,
    saturation with the pixel's own grey; factors are uniform in 1 +- limit. Unlike there, the four always act in this
    order. Saturation and hue leave grey images as they are. Values saturate at 0 and 1 after each part.

    Args:
        jitter: probability of the four together.
        brightness: largest change of the factor, in [0, 1].
        contrast: likewise.
        saturation: likewise.
        hue: largest shift in turns of the colour circle, in [0, 0.5].
        blur: probability of the blur.
        blur_sigma: range of its standard deviation in pixels; the kernel reaches 3 of the largest.

    Raises:
        ValueError: a probability or limit outside its bounds.

    Source: MoCo v2, https://arxiv.org/abs/2003.04297, Adam and LeADER, released code (methods sections 1 and 2).

    Example:
        >>> jitter = ColourJitter(jitter=1.0, brightness=0.4, contrast=0.0, saturation=0.0, hue=0.0, blur=0.0)
        >>> params = jitter.sample(Generator().manual_seed(0))
        >>> changed = jitter.apply(torch.full((1, 1, 4, 4), 0.5), {name: value[None] for name, value in params.items()})
        >>> bool(torch.allclose(changed, 0.5 * params["brightness"]))
        True
    """

    def __init__(
        self,
        jitter: float = 0.8,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.4,
        hue: float = 0.1,
        blur: float = 0.5,
        blur_sigma: tuple[float, float] = (0.1, 2.0),
    ):
        self.jitter, self.blur = jitter, blur
        self.limits = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue}
        for name, value in {"jitter": jitter, "blur": blur, **self.limits}.items():
            most = 0.5 if name == "hue" else 1
            if not 0 <= value <= most:
                raise ValueError(f"photometric.{name} is {value}; expected a number in [0, {most}].")
        self.blur_sigma = check_range(blur_sigma, (1e-3, 100), "photometric.blur_sigma")

    def sample(self, generator: Generator) -> Params:
        """Draw one image's parameters; a parameter at its neutral value means the operation is off.

        Returns:
            scalars: `brightness`, `contrast`, `saturation` (neutral 1), `hue` in turns (0), `sigma` in pixels (0).
        """
        draws = torch.rand(7, generator=generator, dtype=torch.float64).tolist()
        on, low, high = draws[0] < self.jitter, *self.blur_sigma
        values = {
            name: on * limit * (2 * draw - 1)
            for (name, limit), draw in zip(self.limits.items(), draws[1:5], strict=True)
        }
        values = {name: value if name == "hue" else 1 + value for name, value in values.items()}
        values["sigma"] = low + (high - low) * draws[6] if draws[5] < self.blur else 0.0
        return {name: torch.tensor(value, dtype=torch.float32) for name, value in values.items()}

    def apply(self, images_BCHW: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Change a batch, every image by its own parameters and independently of the others.

        Args:
            images_BCHW: float in [0, 1], one or three channels.
            params: stacked parameters from `sample`, each (B,).

        Returns:
            changed images, same shape, in [0, 1].
        """
        names = ("brightness", "contrast", "saturation", "hue", "sigma")
        p = {name: params[name].to(images_BCHW.device) for name in names}
        with torch.autocast(images_BCHW.device.type, enabled=False):
            images = (images_BCHW * p["brightness"][:, None, None, None]).clamp_(0, 1)
            images = adjust_contrast(images, p["contrast"])
            if images.shape[1] == 3:
                images = apply_where(
                    p["saturation"] != 1, adjust_saturation_with_gray_subtraction, images, p["saturation"]
                )
                images = apply_where(p["hue"] != 0, _turn_hue, images, p["hue"])
            return apply_where(p["sigma"] > 0, gaussian_blur, images, p["sigma"], largest=self.blur_sigma[1])


def adjust_contrast(images_BCHW: Tensor, factor_B: Tensor) -> Tensor:
    """Mix every image with its mean grey value, factor times the image, saturated to [0, 1].

    Kornia's `adjust_contrast_with_mean_subtraction` rounds otherwise (6e-8): the same seed would give another run.
    """
    if images_BCHW.shape[1] == 3:
        grey_BHW = torch.einsum("bchw,c->bhw", images_BCHW, images_BCHW.new_tensor(LUMA))
    else:
        grey_BHW = images_BCHW[:, 0]
    mean_B111 = grey_BHW.mean((1, 2))[:, None, None, None]
    factor_B111 = factor_B[:, None, None, None]
    return torch.lerp(mean_B111, images_BCHW, factor_B111).clamp_(0, 1)


def gaussian_blur(images_NCHW: Tensor, sigma_N: Tensor, largest: float) -> Tensor:
    """Gaussian blur with one standard deviation per image; borders are mirrored.

    Args:
        images_NCHW: float images.
        sigma_N: pixels, above 0.
        largest: largest sigma that can occur; the kernel reaches three of it, or to the image's far border.
    """
    reach = min(int(3 * largest + 0.5), min(images_NCHW.shape[-2:]) - 1)
    side = 2 * reach + 1
    kernel_NK = get_gaussian_kernel1d(side, sigma_N[:, None])  # Kornia's `gaussian_blur2d` makes it for each axis
    return filter2d_separable(images_NCHW, kernel_NK, kernel_NK, border_type="reflect")


def _turn_hue(images_NCHW: Tensor, turns_N: Tensor) -> Tensor:
    return adjust_hue(images_NCHW, 2 * torch.pi * turns_N)
