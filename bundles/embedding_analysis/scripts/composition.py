"""Composition: is a patch's embedding the mean of those of its parts?"""

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from common.networks import Encoder
from common.sampling import generator_for

from .draw_cosines import composition_figure
from .found import Found
from .landmark_images import LandmarkImages
from .patches import embed_patches

GRIDS = {2: (2, 1), 3: (3, 1), 4: (2, 2)}
"""Rows and columns that a patch is cut into, by the number of parts."""


class Composition:
    """Cosine between a patch and the mean of its two, three or four parts.

    Most encoders give any two patches a high cosine, so the parts of another image's patch at the same place are the
    reference; what composition is worth is the difference.

    Args:
        size: side in pixels that patches and parts are resized to; halves and thirds are distorted.
        batch_size: patches in a batch of the encoder.
        sides: range of a patch's side, as a share of the image's.
        per_image: patches of each image.
        seed: of the places.
    """

    title = "Composition"
    about = (
        "Is a patch's embedding the mean of those of its two, three or four parts? parts: cosine with its own; other: "
        "with the parts of another image at the same place, which most encoders give a high cosine as well; what "
        "composition is worth is the difference."
    )
    highest, lowest = ("difference",), ()

    def __init__(
        self, size: int, batch_size: int, sides: tuple[float, float] = (0.25, 0.5), per_image: int = 2, seed: int = 0
    ):
        self.size, self.batch_size, self.sides = size, batch_size, sides
        self.per_image, self.seed = per_image, seed

    def __call__(self, encoder: Encoder, images: LandmarkImages) -> Found:
        """Numbers: `parts_2`, `other_2`, `difference_2` and so on, means of cosines; shown are the cosines by name."""
        wholes_P4 = self.places(len(images))
        index_P = torch.arange(len(images)).repeat_interleave(self.per_image)
        whole_PE = self._embed(encoder, images, index_P, wholes_P4)
        other_P = (index_P + 1) % len(images)
        numbers: dict[str, float] = {}
        shown: dict[str, Tensor] = {}
        for parts, grid in GRIDS.items():
            boxes_P4 = cells(wholes_P4, *grid).flatten(0, 1)
            means = []
            for source in (index_P, other_P):
                vectors = self._embed(encoder, images, source.repeat_interleave(parts), boxes_P4)
                means.append(F.cosine_similarity(whole_PE, vectors.unflatten(0, (-1, parts)).mean(1)))
            shown |= {f"parts_{parts}": means[0], f"other_{parts}": means[1]}
            numbers |= {f"parts_{parts}": means[0].mean().item(), f"other_{parts}": means[1].mean().item()}
            numbers[f"difference_{parts}"] = numbers[f"parts_{parts}"] - numbers[f"other_{parts}"]
        return Found(numbers, shown)

    def draw(self, shown: dict[str, Tensor]) -> Figure:
        """A histogram for each number of parts."""
        return composition_figure(shown)

    def places(self, count: int) -> Tensor:
        """Boxes (N * per_image, 4) of patches inside the images."""
        boxes = []
        for index in range(count):
            draws = torch.rand(self.per_image, 3, generator=generator_for(self.seed, 0, index), dtype=torch.float64)
            sides = self.sides[0] + draws[:, :1] * (self.sides[1] - self.sides[0])
            first = draws[:, 1:] * (1 - sides)
            boxes.append(torch.cat([first, first + sides], dim=1))
        return torch.cat(boxes)

    def _embed(self, encoder: Encoder, images: LandmarkImages, index_P: Tensor, boxes_P4: Tensor) -> Tensor:
        return embed_patches(encoder, images, index_P, boxes_P4, self.size, self.batch_size).double()


def cells(boxes_P4: Tensor, rows: int, cols: int) -> Tensor:
    """Boxes (P, rows * cols, 4) of a grid within each box, row by row."""
    first_P2, extent_P2 = boxes_P4[:, :2], boxes_P4[:, 2:] - boxes_P4[:, :2]
    corners = torch.cartesian_prod(torch.arange(rows), torch.arange(cols))
    step_P12 = (extent_P2 / torch.tensor([rows, cols]))[:, None]
    start = first_P2[:, None] + corners * step_P12
    return torch.cat([start, start + step_P12], dim=2)
