"""One token for every few pixels of an image: what the encoder says at the middle of a crop about each place.

ACE's released code cuts a crop about each place and encodes it: 16,384 forward passes for an image of 1024 pixels at
stride 8. `dense_tokens` encodes the whole image instead, once for each shift of the encoder's token grid: 16 passes at
a token stride of 32. The two are equal where the token sees no further than its crop reaches, which a convolutional
encoder's receptive field tells; not where attention, or the windows of a Swin, give a token the rest of the image as
context.

Shapes: S side of the image, C channels, E channels of a token, G = S / stride places on each side.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from common.networks import Encoder


@torch.inference_mode()
def dense_tokens(encoder: Encoder, image_CSS: Tensor, stride: int, crop: int) -> Tensor:
    """Tokens (E, G, G) at the places (stride * i + stride / 2), from whole images.

    Args:
        encoder: in evaluation mode.
        image_CSS: float in [0, 1].
        stride: pixels between places; it divides the encoder's token stride and the image's side. An encoder whose
            tokens are closer is asked at its own stride.
        crop: pixels of the crop that stands for a place; so far the image is continued in black.

    Raises:
        ValueError: a stride or crop that does not fit.
    """
    step, side = token_step(encoder, stride), image_CSS.shape[-1]
    before, after = _reach(encoder, side, step, crop)
    token, grid = encoder.token_stride, side // step
    shifts = token // step
    found: Tensor | None = None
    for row, col, tokens_Ehw in _shifted(encoder, image_CSS, step, before, after):
        if found is None:
            found = tokens_Ehw.new_empty(len(tokens_Ehw), grid, grid)
        wanted = found[:, row::shifts, col::shifts]
        rows, cols = (middle_token(encoder, crop) + (shift > 0) for shift in (row, col))  # a shift adds its black
        wanted.copy_(tokens_Ehw[:, rows : rows + wanted.shape[1], cols : cols + wanted.shape[2]])
    assert found is not None
    return found


@torch.inference_mode()
def tokens_one_by_one(
    encoder: Encoder, image_CSS: Tensor, stride: int, crop: int, batch_size: int, places: Sequence[int] | None = None
) -> Tensor:
    """The same by one crop about each place: (E, G, G), or (E, P) of some places, numbered row by row.

    Args:
        encoder: in evaluation mode.
        image_CSS: float in [0, 1].
        stride: see `dense_tokens`.
        crop: see `dense_tokens`.
        batch_size: crops in a batch.
        places: None takes all.
    """
    step, side = token_step(encoder, stride), image_CSS.shape[-1]
    before, after = _reach(encoder, side, step, crop)
    padded = F.pad(image_CSS, (before, after, before, after))
    grid, middle = side // step, middle_token(encoder, crop)
    chosen = torch.arange(grid * grid) if places is None else torch.as_tensor(places)
    found = []
    for batch in chosen.split(batch_size):
        corners = [(int(place) // grid * step, int(place) % grid * step) for place in batch]
        crops = torch.stack([padded[:, top : top + crop, left : left + crop] for top, left in corners])
        found.append(encoder.tokens(crops)[:, :, middle, middle])
    tokens_EP = torch.cat(found).T
    return tokens_EP.unflatten(1, (grid, grid)) if places is None else tokens_EP


def token_step(encoder: Encoder, stride: int) -> int:
    """Pixels between places: `stride`, or the encoder's own where its tokens are closer.

    Raises:
        ValueError: neither divides the other.
    """
    token = encoder.token_stride
    if max(token, stride) % min(token, stride) or stride < 2:
        raise ValueError(
            f"stride is {stride}; it must be 2 or more and divide the encoder's {token}, or be its multiple."
        )
    return min(token, stride)


def middle_token(encoder: Encoder, crop: int) -> int:
    """Row and column of the token that stands for a crop: the one at its middle, or the last before: 6 of ACE's 14."""
    return (crop // encoder.token_stride - 1) // 2


def _reach(encoder: Encoder, side: int, step: int, crop: int) -> tuple[int, int]:
    """Pixels of black before the image's first row and after its last, so that every crop is complete."""
    encoder.check_size(crop, crop)
    if side % step:
        raise ValueError(f"images of {side} pixels are no multiple of stride {step}; choose another image_size.")
    token = encoder.token_stride
    before = middle_token(encoder, crop) * token + (token - step) // 2
    return before, crop - before - step


def _shifted(
    encoder: Encoder, image_CSS: Tensor, step: int, before: int, after: int
) -> Iterator[tuple[int, int, Tensor]]:
    """Tokens of the image for every shift of the grid, with the first row and column of places that they are for."""
    token, side = encoder.token_stride, image_CSS.shape[-1]
    for row in range(token // step):
        for col in range(token // step):
            top, left = (before + (-shift * step) % token for shift in (row, col))
            bottom, right = (after + (-(side + start + after)) % token for start in (top, left))
            padded = F.pad(image_CSS, (left, right, top, bottom))
            yield row, col, encoder.tokens(padded[None])[0]
