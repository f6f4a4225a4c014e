"""Build an encoder, from a name or from a file."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from .description import CHEST_MEAN, CHEST_STD, EncoderDescription, default_normalisation, per_channel
from .encoder_file import describe_encoder, read_encoder
from .encoders import Encoder, architecture_family, pretrained_normalisation
from .layouts import FoundWeights, find_weights
from .stem import convert_stem, stem_channels
from .weight_matching import LoadReport, fill, sound_weights

Values = float | Sequence[float]


def build_encoder(
    architecture: str | None = None,
    in_channels: int | None = None,
    image_size: int | None = None,
    mean: Values | None = None,
    std: Values | None = None,
    options: Mapping[str, Any] | None = None,
    file: str | Path | None = None,
    load_weights: bool = True,
    drop_path: float = 0.0,
    part: str = "teacher",
    key_map: Mapping[str, str] | None = None,
) -> Encoder:
    """Build an encoder with random weights, or the one in a file.

    What is left out comes from the file's description, otherwise from the defaults named below. A file may be used at
    another image size, with another number of channels or another normalisation: its weights are carried over
    (`convert_stem`, `fill`).

    Args:
        architecture: timm name of a ViT, Swin or ResNet, such as `swin_base_patch4_window7_224`. A pre-training tag
            (`vit_base_patch16_224.mae`) says which normalisation a foreign file expects. Needed unless `file`
            describes itself.
        in_channels: channels of the images; default 1.
        image_size: side in pixels that training and inference will use; default 224.
        mean: mean per channel of images in [0, 1], or one number for all; default 0.5056 (one channel: chest X-rays)
            or ImageNet's (three channels).
        std: standard deviation likewise; default 0.252 or ImageNet's.
        options: timm keyword arguments that make a variant, such as `{"patch_size": 8, "depth": 6}`.
        file: an encoder file, or weights that others published (`load_encoder`).
        load_weights: False takes only the description from `file`, for a comparison with training from scratch.
        drop_path: stochastic depth rate of the deepest block, in [0, 1).
        part: `teacher` (an averaged copy: teacher, EMA, target) or `student`, for files that hold both.
        key_map: regular expressions and replacements that turn the names in `file` into timm's, for weights of other
            projects; what becomes empty is dropped.

    Raises:
        ValueError: neither architecture nor a file that names one; a name or option that timm lacks; a file of
            another architecture; weights that do not fit.
        FileNotFoundError: no such file.

    Example:
        >>> import torch
        >>> encoder = build_encoder("resnet18", in_channels=1, image_size=64)
        >>> encoder.embed(torch.rand(2, 1, 64, 64)).shape
        torch.Size([2, 512])
    """
    wanted = _Wanted(architecture, in_channels, image_size, mean, std, options)
    if file is not None and load_weights:
        return _load(file, wanted, drop_path, part, key_map)[0]
    described = describe_encoder(file) if file is not None else None
    if described is not None:
        described = described.without_origin()  # of the weights left behind
    return Encoder(wanted.completed(described, file), drop_path)


def load_encoder(
    path: str | Path,
    architecture: str | None = None,
    in_channels: int | None = None,
    image_size: int | None = None,
    mean: Values | None = None,
    std: Values | None = None,
    options: Mapping[str, Any] | None = None,
    drop_path: float = 0.0,
    part: str = "teacher",
    key_map: Mapping[str, str] | None = None,
) -> tuple[Encoder, LoadReport]:
    """Build the encoder in a file, and report what became of its weights.

    Reads our encoder files, timm's and torchvision's ImageNet weights (`.safetensors`, `.pth`), the published files of
    ACE, LeADER, Adam, MoCo v2, SRHRS and Ark, and any file in which timm's names stand below some path; `key_map`
    brings in any other naming of a ResNet, Swin or ViT. Nothing in a file is ever run. Arguments are `build_encoder`'s.

    Raises:
        UnreadableCheckpointError: damaged, no weights file, a pickle that asks for more than weights, or weights that
            are no finite floating-point numbers.
        PoorMatchError: the weights are another network's, be it a deeper one or one with other patches.
        ValueError: the file describes another architecture than the one asked for, or none was given; several copies
            between which nothing decides.
        FileNotFoundError: no such file.

    Example:
        >>> import tempfile
        >>> from common.networks import save_encoder
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     encoder = build_encoder("resnet18", in_channels=1, image_size=64)
        ...     file = save_encoder(encoder, Path(folder) / "encoder.safetensors", method="mine", corpora=["phantom"])
        ...     encoder, report = load_encoder(file)
        >>> encoder.description.method, len(report.missing)
        ('mine', 0)
    """
    return _load(path, _Wanted(architecture, in_channels, image_size, mean, std, options), drop_path, part, key_map)


@dataclass(frozen=True)
class _Wanted:
    """What the caller asked for; None where the file, or the default, decides."""

    architecture: str | None
    in_channels: int | None
    image_size: int | None
    mean: Values | None
    std: Values | None
    options: Mapping[str, Any] | None

    def completed(self, source: EncoderDescription | None, path: str | Path | None) -> EncoderDescription:
        """The description of the encoder to build, given the one of the weights that will fill it."""
        if source is None:
            if self.architecture is None:
                raise ValueError("Set architecture to a timm name (ViT, Swin or ResNet), or file to an encoder file.")
            in_channels = self.in_channels or 1
            default_mean, default_std = (
                (0.0, 1.0) if self.mean is not None and self.std is not None else default_normalisation(in_channels)
            )
            source = EncoderDescription(
                _without_tag(self.architecture),
                self.options or {},
                in_channels,
                mean=per_channel(default_mean, in_channels),
                std=per_channel(default_std, in_channels),
            )
        self._check_same(source, path)
        in_channels = self.in_channels or source.in_channels
        return replace(
            source,
            in_channels=in_channels,
            image_size=self.image_size or source.image_size,
            mean=_values(self.mean, source.mean, in_channels),
            std=_values(self.std, source.std, in_channels),
        )

    def _check_same(self, source: EncoderDescription, path: str | Path | None) -> None:
        asked = source.architecture if self.architecture is None else _without_tag(self.architecture)
        if asked != source.architecture:
            raise ValueError(
                f"{path} holds {source.architecture}, but architecture is {asked}: remove architecture to take the "
                "file's, or give a file of the other one."
            )
        if self.options and json.loads(json.dumps(dict(self.options))) != source.options:
            raise ValueError(
                f"{path} holds {source.architecture} with options {dict(source.options)}, but options is "
                f"{dict(self.options)}: remove options to take the file's, or give a file of the other variant."
            )


def _load(
    path: str | Path, wanted: _Wanted, drop_path: float, part: str, key_map: Mapping[str, str] | None
) -> tuple[Encoder, LoadReport]:
    described = describe_encoder(path)
    if described is not None:
        wanted.completed(described, path)  # another architecture is said before the weights are read
    elif wanted.architecture is None:
        raise ValueError(f"{path} does not describe itself: set architecture to the timm name of the network it holds.")
    names = _names(wanted, described)
    content = read_encoder(path)
    try:
        found = find_weights(content, names, part, key_map)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if found.passed_over:
        warnings.warn(
            f"{path} seems to hold averaged weights ({', '.join(found.passed_over)}), but not by this network's names: "
            f"the trained ones ({found.layout}) are taken. Save the averaged ones by name to use them.",
            stacklevel=3,
        )
    theirs = sound_weights(found.weights, names, path)
    channels = stem_channels(theirs) or (described.in_channels if described else 3)
    source = described or _foreign_source(wanted, channels, found)
    description = wanted.completed(source, path)
    encoder = Encoder(description, drop_path)
    weights = convert_stem(theirs, source.mean, source.std, description.mean, description.std)
    layout = "encoder file" if described else found.layout
    report = LoadReport(str(path), layout, channels=(channels, description.in_channels))
    return encoder, fill(encoder, weights, report)


def _names(wanted: _Wanted, described: EncoderDescription | None) -> frozenset[str]:
    """Names of the weights of the encoder to build; they depend on neither channels nor normalisation."""
    architecture = described.architecture if described else _without_tag(wanted.architecture or "")
    options = described.options if described else wanted.options or {}
    image_size = wanted.image_size or (described.image_size if described else 224)
    with torch.device("meta"):  # without memory or random numbers
        return frozenset(Encoder(EncoderDescription(architecture, options, image_size=image_size)).body.state_dict())


def _foreign_source(wanted: _Wanted, channels: int, found: FoundWeights) -> EncoderDescription:
    """What a file without a description must be assumed to hold."""
    assert wanted.architecture is not None
    architecture_family(_without_tag(wanted.architecture))
    mean: Values
    std: Values
    if found.chest:
        mean, std = CHEST_MEAN, CHEST_STD
    elif channels == 3:
        mean, std = pretrained_normalisation(wanted.architecture)
    else:
        mean, std = default_normalisation(channels)
    return EncoderDescription(
        _without_tag(wanted.architecture),
        wanted.options or {},
        channels,
        mean=per_channel(mean, channels),
        std=per_channel(std, channels),
        method=found.layout,
    )


def _without_tag(architecture: str) -> str:
    return architecture.partition(".")[0]


def _values(asked: Values | None, source: tuple[float, ...], in_channels: int) -> tuple[float, ...]:
    """Normalisation constants: those asked for, or the source's, averaged or repeated for another channel count."""
    if asked is not None:
        return per_channel(asked, in_channels)
    if len(source) == in_channels:
        return source
    return (sum(source) / len(source),) * in_channels
