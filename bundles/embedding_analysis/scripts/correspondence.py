"""Dense correspondence: the same anatomy in another view, in another image of the patient, in another patient.

Shapes: P points, E channels of a token, G places on each side of an image, S its side in pixels.
"""

from collections.abc import Iterator, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from common.networks import Encoder
from common.sampling import generator_for

from .dense import dense_tokens, tokens_one_by_one
from .draw_images import pairs_figure
from .found import Found
from .landmark_images import LandmarkImages
from .matching import Match, Pair, distance, find
from .moved_view import MovedView

KINDS = ("view", "image", "patient")


class Correspondence:
    """Finds each landmark of one image in another by the most similar token, ACE's protocol, which is also FIRE's.

    Kinds of pairs: `view`, an image and a turned crop of itself; `image`, two images of one study or patient, as a pair
    of FIRE is; `patient`, images of two patients. Errors are in pixels of the image as analysed, whose side is 1024 in
    both protocols; each is the mean over the pairs of a pair's mean. Beside it stands `same_place`, the error of who
    takes the same place in the other image: all that one knows who knows positions alone.

    Args:
        stride: pixels between the places of the other image.
        crop: side in pixels of the crop that stands for a place (`dense_tokens`).
        batch_size: crops in a batch, where there are any.
        one_by_one: one crop for each place, as the released code does, in place of whole images.
        pairs: of each kind, at most.
        kinds: those that are asked for. Control points, which mean something within their pair alone, are for `image`.
        view_side: side of the view's crop, as a share of the image's.
        view_angle: degrees that it is turned by, at most (Adam, supplement).
        seed: of the views.
    """

    title = "Dense correspondence"
    about = (
        "Each landmark is sought in another image by the most similar token: in a turned crop of itself (view), in "
        "another image of the patient (image, as a pair of FIRE), in another patient (patient). error: mean distance "
        "in pixels of the image as analysed; same_place: the error of taking the same place, all that one knows "
        "who knows positions alone. Lines join places that are each other's most similar."
    )
    highest, lowest = (), ("error",)

    def __init__(
        self,
        stride: int,
        crop: int,
        batch_size: int,
        one_by_one: bool = False,
        pairs: int = 20,
        kinds: Sequence[str] = KINDS,
        view_side: float = 0.8,
        view_angle: float = 10.0,
        seed: int = 0,
    ):
        self.stride, self.crop, self.batch_size, self.one_by_one = stride, crop, batch_size, one_by_one
        self.pairs, self.kinds = pairs, tuple(kinds)
        self.view_side, self.view_angle, self.seed = view_side, view_angle, seed

    def __call__(self, encoder: Encoder, images: LandmarkImages) -> Found:
        """`error_*`, `same_place_*` and `pairs_*` of every kind that there are pairs of; shown is the first of each."""
        images.require_landmarks()
        device = next(encoder.parameters()).device
        numbers: dict[str, float] = {}
        shown: dict[str, Pair] = {}
        for kind in self.kinds:
            errors, same_place = [], []
            for pair, source, truth in self._pairs(kind, images):
                if not len(source):
                    continue
                tokens = [self._tokens(encoder, image.to(device)) for image in pair]
                match = Match(source, truth, find(source, *tokens))
                errors.append(distance(match.found, truth, images.size))
                same_place.append(distance(source, truth, images.size))
                shown.setdefault(kind, Pair(pair, match, (tokens[0].cpu(), tokens[1].cpu())))
            if errors:
                numbers[f"error_{kind}"] = sum(errors) / len(errors)
                numbers[f"same_place_{kind}"] = sum(same_place) / len(same_place)
                numbers[f"pairs_{kind}"] = float(len(errors))
        return Found(numbers, shown)

    def draw(self, shown: dict[str, Pair]) -> Figure:
        """The first pair of each kind."""
        return pairs_figure(shown)

    def _tokens(self, encoder: Encoder, image_CSS: Tensor) -> Tensor:
        if self.one_by_one:
            return tokens_one_by_one(encoder, image_CSS, self.stride, self.crop, self.batch_size)
        return dense_tokens(encoder, image_CSS, self.stride, self.crop)

    def _pairs(self, kind: str, images: LandmarkImages) -> Iterator[tuple[tuple[Tensor, Tensor], Tensor, Tensor]]:
        """Two images, and the points that both have, in either."""
        if kind == "view":
            for index in range(min(self.pairs, len(images))):
                view = MovedView.draw(generator_for(self.seed, 2, index), self.view_side, self.view_angle)
                image, source = _image(images, index), images.points_NL2[index]
                yield (image, view.render(image)), *_common(source, view.place(source))
            return
        pairs = images.pairs_of_images(self.pairs) if kind == "image" else images.pairs_of_patients(self.pairs)
        for one, other in pairs:
            both = _image(images, one), _image(images, other)
            yield both, *_common(images.points_NL2[one], images.points_NL2[other])


def _image(images: LandmarkImages, index: int) -> Tensor:
    return images.pixels([index])[0].float() / 255


def _common(source_P2: Tensor, truth_P2: Tensor) -> tuple[Tensor, Tensor]:
    """Points that lie inside both images."""
    inside_P = torch.stack([((points >= 0) & (points < 1)).all(1) for points in (source_P2, truth_P2)]).all(0)
    return source_P2[inside_P], truth_P2[inside_P]
