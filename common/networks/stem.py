"""Carry a first convolution over to other channels and another normalisation.

What stays the same is the network as a function of a grey image in [0, 1], shown in every channel it takes. The
convolution sees (x - mean) / std; written for x itself it has the kernel K_c = W_c / std_c and the constant
b - sum K_c mean_c. Channels are changed there (three kernels summed to one, or one divided among three) and the
result is written for the new constants.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

# The first convolution of each family, and the batch norm behind it where the convolution has no bias.
_STEMS = (("patch_embed.proj", None), ("conv1", "bn1"), ("conv1.0", "conv1.1"))


def stem_channels(weights: dict[str, Tensor]) -> int | None:
    """Image channels that the weights' first convolution takes; None if they have none."""
    name = _stem(weights)
    return None if name is None else weights[f"{name[0]}.weight"].shape[1]


def convert_stem(
    weights: dict[str, Tensor],
    source_mean: Sequence[float],
    source_std: Sequence[float],
    mean: Sequence[float],
    std: Sequence[float],
) -> dict[str, Tensor]:
    """Weights for images with `len(mean)` channels normalised by `mean` and `std`.

    Patch embeddings have a bias and no padding, so ViT and Swin stay exactly the same function. A ResNet's first
    convolution pads with zeros, the source's mean grey, and has no bias: the constant goes into the batch norm
    behind it, and outputs can differ where the convolution reaches over the border, unless the constants agree.

    Args:
        weights: by timm's names; not changed.
        source_mean: mean per channel that the weights expect.
        source_std: standard deviation per channel that the weights expect.
        mean: mean per channel of the network to fill.
        std: standard deviation per channel of the network to fill.

    Raises:
        ValueError: neither one of the two channel counts is 1 nor are they equal.
    """
    stem = _stem(weights)
    if stem is None or (tuple(source_mean), tuple(source_std)) == (tuple(mean), tuple(std)):
        return dict(weights)
    convolution, norm = stem
    kernel = weights[f"{convolution}.weight"].double()  # (E, C, kh, kw)
    before, after = len(source_mean), len(mean)
    raw = kernel / _channels(source_std)
    constant = -(raw * _channels(source_mean)).sum((1, 2, 3))
    if after == 1:
        raw = raw.sum(1, keepdim=True)
    elif before == 1:
        raw = raw.expand(-1, after, -1, -1) / after
    elif before != after:
        raise ValueError(f"Weights for {before} channels cannot be carried to {after}: one of them must be 1.")
    constant = constant + (raw * _channels(mean)).sum((1, 2, 3))

    new = dict(weights)
    new[f"{convolution}.weight"] = (raw * _channels(std)).to(weights[f"{convolution}.weight"].dtype)
    # A batch norm subtracts its running mean: adding a constant before it is lowering that mean by it.
    target, sign = (f"{convolution}.bias", 1) if norm is None else (f"{norm}.running_mean", -1)
    if target in new:
        new[target] = (new[target].double() + sign * constant).to(new[target].dtype)
    return new


def _stem(weights: dict[str, Tensor]) -> tuple[str, str | None] | None:
    return next(((name, norm) for name, norm in _STEMS if f"{name}.weight" in weights), None)


def _channels(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(1, -1, 1, 1)
