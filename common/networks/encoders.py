"""Image encoders: timm backbones behind one small interface.

Shapes: B batch, C image channels, H W pixels, E channels of a token, h w token grid.
"""

import difflib
import math
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from . import torchvision_shim  # noqa: F401  timm imports torchvision
from .description import EncoderDescription
from .exported import ExportedNetwork

import timm  # isort: skip


class Encoding(NamedTuple):
    """What one forward pass gives: the image's vector (B, E) and its tokens (B, E, h, w)."""

    embedding: Tensor
    tokens: Tensor


class Encoder(ExportedNetwork):
    """A timm ViT, Swin or ResNet whose weights keep timm's names, below `body.`.

    It takes images in [0, 1] and normalises them itself, so no pipeline can feed it the wrong constants. Images may
    have another size than it was built for, as long as `token_stride` divides it: ViT resamples its position
    embedding and Swin recomputes its attention masks. Swin's windows and shifts follow from
    `image_size`, so build it for the size that it will mostly see.

    Args:
        description: architecture, channels, size and normalisation.
        drop_path: stochastic depth rate of the deepest block, in [0, 1).

    Attributes:
        embed_dim: E, channels of a token and length of the embedding.
        token_stride: pixels per token side.
        pyramid_channels: channels of each pyramid level, fine to coarse.
        pyramid_strides: pixels per cell of each pyramid level; a ViT has one stride for all.

    Raises:
        ValueError: unknown architecture or option, or an image size that the architecture cannot divide.

    Example:
        >>> encoder = Encoder(EncoderDescription("resnet18", in_channels=1, image_size=64))
        >>> images = torch.rand(2, 1, 64, 64)
        >>> encoder.tokens(images).shape, [level.shape[-1] for level in encoder.pyramid(images)]
        (torch.Size([2, 512, 2, 2]), [32, 16, 8, 4, 2])
    """

    body: Any  # a timm model; typed loosely, as its attributes differ by family
    mean: Tensor
    std: Tensor

    def __init__(self, description: EncoderDescription, drop_path: float = 0.0):
        super().__init__()
        self.description = description
        self.family = architecture_family(description.architecture)
        self.body = _build_body(description, self.family, drop_path)
        self.register_buffer("mean", torch.tensor(description.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(description.std).view(1, -1, 1, 1), persistent=False)

        self.embed_dim: int = self.body.num_features
        levels = self.body.feature_info
        levels = levels if isinstance(levels, list) else levels.info
        self.token_stride: int = levels[-1]["reduction"]
        self._pyramid_indices = list(range(len(levels)))
        if self.family == "vit":
            # The released UperNet meant blocks 3, 6, 9, 12 of 12 and took 1 to 4 (methods A43).
            self._pyramid_indices = [math.ceil(len(levels) * part / 4) - 1 for part in (1, 2, 3, 4)]
        self.pyramid_channels: tuple[int, ...] = tuple(levels[i]["num_chs"] for i in self._pyramid_indices)
        self.pyramid_strides: tuple[int, ...] = tuple(levels[i]["reduction"] for i in self._pyramid_indices)
        self.check_size(description.image_size, description.image_size)

    def encode(self, images: Tensor) -> Encoding:
        """Embedding and tokens of images (B, C, H, W) in [0, 1], from one forward pass.

        The embedding is the class token of a ViT (the mean of its tokens if it has none) and the mean of the tokens
        of a Swin or ResNet; transformers' tokens are taken after the final norm.
        """
        x = self._normalise(images)
        features = self.body.forward_features(x)
        if self.family == "swin":
            features = features.permute(0, 3, 1, 2)
        elif self.family == "vit":
            prefix = self.body.num_prefix_tokens
            grid = x.shape[-2] // self.token_stride, x.shape[-1] // self.token_stride
            tokens = features[:, prefix:].transpose(1, 2).unflatten(2, grid)
            has_class_token = self.body.cls_token is not None
            return Encoding(features[:, 0] if has_class_token else tokens.mean((2, 3)), tokens)
        return Encoding(features.mean((2, 3)), features)

    def embed(self, images: Tensor) -> Tensor:
        """One vector (B, E) for each image (B, C, H, W) in [0, 1]."""
        return self.encode(images).embedding

    def tokens(self, images: Tensor) -> Tensor:
        """Tokens (B, E, h, w) of images (B, C, H, W) in [0, 1]; h = H / token_stride."""
        return self.encode(images).tokens

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Feature maps, fine to coarse, as `pyramid_channels` and `pyramid_strides` say, without the final norm.

        Swin: each stage before the next one merges its patches (the released code took them after the merge,
        methods section 7, and so had no map at stride 4). ResNet: the stem and each stage. ViT: blocks at 1/4, 1/2,
        3/4 and all of the depth, at one stride.
        """
        wanted = sorted(set(self._pyramid_indices))
        maps = self.body.forward_intermediates(self._normalise(images), indices=wanted, intermediates_only=True)
        return [maps[wanted.index(index)] for index in self._pyramid_indices]

    def merged_pyramid(self, images: Tensor) -> list[Tensor]:
        """Feature maps as the released UperNet takes them: a Swin's stages with the merging of patches behind each.

        The merging doubles channels and strides, and nothing follows the last stage: a Swin-B has 256, 512, 1024 and
        1024 channels at strides 8, 16, 32 and 32 (methods section 7). A ResNet merges nothing: `pyramid`.
        """
        maps = self.pyramid(images)
        if self.family != "swin":
            return maps
        merges = [stage.downsample for stage in self.body.layers[1:]]
        merged = [
            merge(stage.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) for merge, stage in zip(merges, maps[:-1], strict=True)
        ]
        return [*merged, maps[-1]]

    def forward(self, images: Tensor) -> Tensor:
        """`embed`."""
        return self.embed(images)

    def input_shape(self) -> tuple[int, ...]:
        """(C, H, W) of the images it was built for."""
        return self.description.in_channels, self.description.image_size, self.description.image_size

    def check_size(self, height: int, width: int) -> None:
        """Raise ValueError, naming sizes that fit, unless `token_stride` divides both sides."""
        stride = self.token_stride
        if height % stride or width % stride or not height or not width:
            low, high = (max(stride, min(height, width) // stride * stride + step) for step in (0, stride))
            raise ValueError(
                f"Images of {height} x {width} pixels do not fit {self.description.architecture}: both sides must be "
                f"multiples of {stride}, such as {low} or {high}. Resize the images, or set image_size to match."
            )

    def _normalise(self, images: Tensor) -> Tensor:
        if not torch.jit.is_tracing():  # a trace fixes the size that its example passed here with
            self._check_images(images)
        return (images - self.mean) / self.std

    def _check_images(self, images: Tensor) -> None:
        if images.ndim != 4 or images.shape[1] != self.description.in_channels:
            raise ValueError(
                f"The encoder takes images (B, {self.description.in_channels}, H, W), not {tuple(images.shape)}; "
                "set in_channels of build_encoder, or the data's channels, so that they agree."
            )
        if not images.is_floating_point():
            raise TypeError(f"The encoder takes floating-point images in [0, 1], not {images.dtype}; divide by 255.")
        self.check_size(images.shape[-2], images.shape[-1])


_FAMILIES = {
    "timm.models.vision_transformer": "vit",
    "timm.models.swin_transformer": "swin",
    "timm.models.resnet": "resnet",
}


@cache
def architecture_family(architecture: str) -> str:
    """`vit`, `swin` or `resnet` for a timm name.

    Raises:
        ValueError: timm has no such model (names the nearest), or it is of another family.
    """
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(architecture, timm.list_models(), n=3, cutoff=0.4)
        raise ValueError(f"architecture: timm has no model '{architecture}'; the nearest are {', '.join(near)}.")
    family = _FAMILIES.get(timm.model_entrypoint(architecture).__module__)
    if family is None:
        raise ValueError(
            f"architecture: '{architecture}' is no ViT, Swin or ResNet of timm, and only these have the embedding, "
            "tokens and pyramid that an encoder gives; try vit_base_patch16_224, swin_base_patch4_window7_224 or "
            "resnet50."
        )
    return family


def pretrained_normalisation(architecture: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation that timm's weights of that name expect; a tag (`.mae`) tells sets apart.

    Raises:
        ValueError: timm has no weights with that tag.
    """
    try:
        expected = timm.get_pretrained_cfg(architecture)
    except RuntimeError as error:
        raise ValueError(f"architecture: {error} Leave the tag out for timm's default weights.") from error
    if expected is None:
        raise ValueError(f"architecture: timm has no weights for {architecture}, so give mean and std.")
    return tuple(expected.mean), tuple(expected.std)


def _build_body(description: EncoderDescription, family: str, drop_path: float) -> nn.Module:
    """The plain timm model, without a classifier and able to take other image sizes."""
    arguments: dict[str, Any] = {"in_chans": description.in_channels, "num_classes": 0, "drop_path_rate": drop_path}
    if family != "resnet":
        arguments |= {"img_size": description.image_size, "dynamic_img_size": True}
    try:
        return timm.create_model(description.architecture, pretrained=False, **arguments, **description.options)
    except TypeError as error:
        raise ValueError(
            f"encoder_options: {description.architecture} does not take {dict(description.options)} ({error}). "
            'An overlay such as small.yaml may have set them for another architecture: give --encoder_options "{}".'
        ) from error
