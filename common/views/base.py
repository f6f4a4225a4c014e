"""What a view is: a recipe for parts of an image, sampled as numbers first and rendered later."""

from collections.abc import Mapping
from typing import Protocol

from torch import Generator, Tensor

Params = dict[str, Tensor]


class View(Protocol):
    """Samples parameters per image and renders a batch of images from them.

    The split lets data workers draw parameters (a few numbers per image) while rendering is batched on
    the device the images are on, and lets targets be computed from the very geometry that was rendered.
    """

    def sample(self, generator: Generator, size: tuple[int, int]) -> Params:
        """Draw the parameters of one image.

        Args:
            generator: CPU generator; all randomness comes from it.
            size: (height, width) of the image in pixels.

        Returns:
            named tensors without a batch axis, which default collation can stack.
        """
        ...

    def render(self, images_BCHW: Tensor, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Render a batch.

        Args:
            images_BCHW: uint8 in 0..255 or float in [0, 1].
            params: stacked parameters from `sample`.

        Returns:
            named views, float32 in [0, 1].
        """
        ...


def add_prefix(params: Mapping[str, Tensor], prefix: str) -> Params:
    """Rename parameters so that two crops of one image can share a flat mapping."""
    return {prefix + name: value for name, value in params.items()}


def take_prefix(params: Mapping[str, Tensor], prefix: str) -> Params:
    """The parameters whose name starts with `prefix`, without it; inverse of `add_prefix`."""
    return {name.removeprefix(prefix): value for name, value in params.items() if name.startswith(prefix)}
