"""Two independent crops of one image or part of it: what contrast and self-distillation compare."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from ..sampling import Params
from .augmented_crop import AugmentedCrop, render_together
from .boxes import check_fits
from .prefixes import add_prefix


class TwoCrops:
    """The same random crop drawn twice, each time with changes of its own.

    Args:
        crop: draws and renders one of them.
        names: of the two; each one's parameters begin with its name and `_`.

    Attributes:
        size: side of a view in pixels.

    Example:
        >>> view = TwoCrops(AugmentedCrop(size=32), names=("query", "key"))
        >>> params = view.sample(Generator().manual_seed(0), (64, 64))
        >>> views = view.render(torch.rand(1, 1, 64, 64), {name: value[None] for name, value in params.items()})
        >>> {name: tuple(image.shape) for name, image in views.items()}
        {'query': (1, 1, 32, 32), 'key': (1, 1, 32, 32)}
    """

    def __init__(self, crop: AugmentedCrop, names: tuple[str, str] = ("first", "second")):
        self.crop, self.names, self.size = crop, tuple(names), crop.size

    def sample(self, generator: Generator, region: tuple[int, int] | Tensor) -> Params:
        """Draw both crops, all of the first before anything of the second.

        Args:
            generator: CPU generator; all randomness comes from it.
            region: (height, width) of the image in pixels, or a box (4,) in them. A box may be smaller than a view,
                which then enlarges it.

        Raises:
            ValueError: the image is smaller than a view.
        """
        if not isinstance(region, Tensor):
            check_fits(self.size, region, "size")
        params: Params = {}
        for name in self.names:
            params |= add_prefix(self.crop.sample(generator, region), f"{name}_")
        return params

    def boxes(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Boxes (B, 4) of both crops in pixels of the image, for drawing."""
        return {name: params[f"{name}_box"] for name in self.names}

    @torch.no_grad()
    def render(self, images_BCHW: Tensor, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Render both crops by name, each (B, C, size, size) float32 in [0, 1]."""
        return render_together(images_BCHW, params, dict.fromkeys(self.names, self.crop))
