"""What a view is: a recipe for parts of an image, sampled as numbers first and rendered later."""

from collections.abc import Mapping
from typing import Protocol, TypeVar

from torch import Generator, Tensor

Params = dict[str, Tensor]
Region = TypeVar("Region", contravariant=True)
"""Of what a view is taken: of an image's (height, width) in pixels, or of a box (4,) in them."""


class SamplesParams(Protocol[Region]):
    """The half of a view that a data set needs: drawing parameters, without touching pixels."""

    def sample(self, generator: Generator, region: Region, /) -> Params:
        """Draw the parameters of one image.

        Args:
            generator: CPU generator; all randomness comes from it.
            region: (height, width) of the image in pixels, or a box (4,) in them.

        Returns:
            named tensors without a batch axis, which default collation can stack.
        """
        ...


class View(SamplesParams[Region], Protocol[Region]):
    """Samples parameters per image and renders a batch of images from them.

    The split lets data workers draw parameters (a few numbers per image) while rendering is batched on
    the device the images are on, and lets targets be computed from the very geometry that was rendered.
    """

    def boxes(self, params: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Boxes (B, 4) by name, in pixels of the image, for drawing; a view made of one bears its name."""
        ...

    def render(self, images_BCHW: Tensor, params: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Render a batch.

        Args:
            images_BCHW: uint8 in 0..255 or float in [0, 1].
            params: stacked parameters from `sample`.

        Returns:
            named views, float32 in [0, 1].
        """
        ...
