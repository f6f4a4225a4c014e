"""What the student sees of an item: one augmented crop of a whole image or of a patch."""

from collections.abc import Mapping

from torch import Generator, Tensor

from common.views import AugmentedCrop, Params, add_prefix

VIEW = "view"


class RegionView:
    """One augmented crop inside an item's region.

    The released code resizes a patch first and crops it then; here region, crop and flip are one resampling of the
    stored image.

    Args:
        crop: draws and renders the crop.
    """

    def __init__(self, crop: AugmentedCrop):
        self.crop = crop
        self.size = crop.size

    def sample(self, generator: Generator, region: tuple[int, int] | Tensor) -> Params:
        """Draw the crop of one item.

        Args:
            generator: all randomness comes from it.
            region: (height, width) of an image, or a patch's box (4,) in pixels.
        """
        return add_prefix(self.crop.sample(generator, region), f"{VIEW}_")

    def boxes(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Box (B, 4) of the crop in pixels of the image."""
        return {VIEW: params[f"{VIEW}_box"]}

    def render(self, images_BCHW: Tensor, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Render `view` (B, C, size, size), float32 in [0, 1]."""
        return {VIEW: self.crop.render(images_BCHW, params, f"{VIEW}_")}
