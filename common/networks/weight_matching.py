"""Put weights into an encoder, and account for every one of them."""

import difflib
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from timm.layers import resample_abs_pos_embed, resize_rel_pos_bias_table
from torch import Tensor, nn

from .checkpoint_reading import UnreadableCheckpointError
from .encoders import Encoder
from .first_parts import unfilled

# A classifier, projector or mask token more or less is usual in published files; a missing block is not.
MIN_SHARE = 0.95

# Counters that old files lack and inference never reads, and tables that follow from the sizes alone, are no weights.
_DERIVED = ("num_batches_tracked", "relative_position_index", "attn_mask")
# Parts at the top of a ViT without which its blocks compute something else.
_OF_THE_TRUNK = frozenset({"dist_token", "reg_token", "register_tokens", "norm_pre"})
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@dataclass(frozen=True)
class LoadReport:
    """What became of the weights of a file.

    Args:
        source: path of the file.
        layout: what the file turned out to be, such as `ACE teacher`.
        matched: names that were filled.
        missing: the encoder's names that the file lacks; they keep their random values.
        mismatched: names in both whose shapes differ, with the file's shape and the encoder's.
        unused: the file's names that the encoder lacks, such as heads.
        resampled: matched names whose values were interpolated to another grid or window.
        channels: image channels of the file's first convolution and of the encoder's.
    """

    source: str
    layout: str
    matched: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    mismatched: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    resampled: tuple[str, ...] = ()
    channels: tuple[int, int] | None = None

    @property
    def share(self) -> float:
        """Matched names among the encoder's names, in [0, 1]."""
        total = len(self.matched) + len(self.missing) + len(self.mismatched)
        return len(self.matched) / total if total else 0.0

    def __str__(self) -> str:
        """The report on a few lines."""
        lines = [
            f"{self.source} ({self.layout}): {len(self.matched)} weights matched, {len(self.missing)} missing, "
            f"{len(self.mismatched)} of another shape, {len(self.unused)} unused"
        ]
        if self.channels and self.channels[0] != self.channels[1]:
            lines.append(f"first convolution carried from {self.channels[0]} to {self.channels[1]} channels")
        if self.resampled:
            lines.append(f"resampled to this image size: {_some(self.resampled)}")
        if self.missing:
            lines.append(f"missing, left random: {_some(self.missing)}")
        shapes = [f"{name} {theirs} for {ours}" for name, (theirs, ours) in self.mismatched.items()]
        if shapes:
            lines.append(f"another shape, left random: {_some(shapes)}")
        if self.unused:
            lines.append(f"unused: {_some(self.unused)}")
        return "\n  ".join(lines)


class PoorMatchError(ValueError):
    """Weights that are not this encoder's; carries the report."""

    def __init__(self, report: LoadReport, message: str):
        super().__init__(message)
        self.report = report


def fill(encoder: Encoder, weights: Mapping[str, Tensor], report: LoadReport) -> LoadReport:
    """Copy weights into an encoder's body, resampling position embeddings and window tables to its size.

    Args:
        encoder: filled in place, or left as it was if the match is poor.
        weights: by timm's names, with the encoder's channels and normalisation.
        report: source and layout; the rest is filled in.

    Raises:
        PoorMatchError: fewer matched, the first layer or the positions do not fit, or weights of deeper blocks are
            left over.
    """
    weights, resampled = _resample(encoder, weights)
    report = replace(report, resampled=tuple(resampled))
    return fill_module(encoder.body, weights, report, encoder.description.architecture)


def fill_module(
    module: nn.Module,
    weights: Mapping[str, Tensor],
    report: LoadReport,
    architecture: str,
    new: tuple[str, ...] = (),
) -> LoadReport:
    """Copy weights into any module by name, and account for every one of them.

    Args:
        module: filled in place, or left as it was if the match is poor.
        weights: by the module's names.
        report: source, layout and the names that were resampled; the rest is filled in.
        architecture: what to call the module in messages.
        new: beginnings of the names of parts that stay as they are by design; they count neither as missing nor as
            unused.

    Raises:
        PoorMatchError: fewer matched (names the nearest keys), no weights for the first layer, the tokens or the
            positions, or weights of the module's own parts are left over.
    """

    def counts(key: str) -> bool:
        return not key.endswith(_DERIVED) and not key.startswith(new)

    ours = {key: value for key, value in module.state_dict().items() if counts(key)}
    shapes = {key: (tuple(weights[key].shape), tuple(ours[key].shape)) for key in ours if key in weights}
    matched = {key: weights[key].float() for key, (theirs, own) in shapes.items() if theirs == own}
    report = replace(
        report,
        matched=tuple(matched),
        missing=tuple(key for key in ours if key not in weights),
        mismatched={key: pair for key, pair in shapes.items() if pair[0] != pair[1]},
        unused=tuple(key for key in weights if key not in ours and counts(key)),
        resampled=tuple(key for key in report.resampled if key in matched),
    )
    if report.share < MIN_SHARE:
        raise PoorMatchError(report, _refusal(architecture, report))
    noise = unfilled(report.missing, report.mismatched)
    if noise:
        raise PoorMatchError(report, _blind(architecture, report, noise))
    left_over = _left_over(report, ours)
    if left_over:
        raise PoorMatchError(report, _deeper(architecture, report, left_over))
    module.load_state_dict(matched, strict=False)
    if report.missing or report.mismatched:
        warnings.warn(f"Some weights of the encoder stay random. {report}", stacklevel=4)
    return report


def sound_weights(weights: Mapping[str, Tensor], names: Collection[str], source: str | Path) -> dict[str, Tensor]:
    """The weights with those of a network in 32 bit.

    Args:
        weights: of a file, whatever their precision.
        names: of the network's weights; others, such as heads, are not looked at.
        source: path of the file, for the error.

    Raises:
        UnreadableCheckpointError: one of them is no floating-point tensor, or holds NaN or infinity; names it.
    """
    new = dict(weights)
    for name in sorted(weights.keys() & set(names)):
        value = weights[name]
        if name.endswith(_DERIVED):
            continue
        if value.dtype not in _FLOATS or value.layout != torch.strided:
            raise UnreadableCheckpointError(
                source,
                f"{name} is {str(value.dtype).removeprefix('torch.')}, not a weight in 16, 32 or 64 bit floating point",
                "Give weights that were not quantised, masked or scaled.",
            )
        new[name] = value.float()
        bad = int((~new[name].isfinite()).sum())
        if bad:
            raise UnreadableCheckpointError(
                source,
                f"{bad} of {value.numel()} values of {name} are NaN or infinite: its training diverged",
                "Give weights of an earlier epoch.",
            )
    return new


def _left_over(report: LoadReport, ours: Collection[str]) -> list[str]:
    """Names of the file below the module's own parts, in which the module has no such weight."""
    parts = {name.partition(".")[0] for name in ours} | _OF_THE_TRUNK
    return [name for name in report.unused if name.partition(".")[0] in parts]


def _resample(encoder: Encoder, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Bring position embeddings and relative tables to the encoder's grids; returns the names that changed."""
    new, changed = dict(weights), []
    ours = encoder.body.state_dict()
    for key, value in weights.items():
        if key not in ours or value.shape == ours[key].shape or value.ndim != ours[key].ndim:
            continue
        if key == "pos_embed" and value.shape[-1] == ours[key].shape[-1]:
            prefix = 0 if encoder.body.no_embed_class else encoder.body.num_prefix_tokens
            side = int((value.shape[1] - prefix) ** 0.5)
            if side * side == value.shape[1] - prefix:
                grid = list(encoder.body.patch_embed.grid_size)
                new[key] = resample_abs_pos_embed(value.float(), grid, [side, side], num_prefix_tokens=prefix)
                changed.append(key)
        elif key.endswith("relative_position_bias_table") and value.shape[1] == ours[key].shape[1]:
            window = encoder.body.get_submodule(key.rpartition(".")[0]).window_size
            new[key] = resize_rel_pos_bias_table(value.float(), window, tuple(ours[key].shape))
            changed.append(key)
    return new, changed


def _refusal(architecture: str, report: LoadReport) -> str:
    found = [f"{key} has shape {a}, not {b}" for key, (a, b) in list(report.mismatched.items())[:3]]
    for key in report.missing[:3]:
        close = difflib.get_close_matches(key, report.unused, n=1, cutoff=0.5)
        found.append(f"{key} is missing" + (f" (nearest in the file: {close[0]})" if close else ""))
    return (
        f"{report.source} ({report.layout}) is no {architecture}: it gives {report.share:.0%} of "
        f"the encoder's weights, {MIN_SHARE:.0%} are needed. For example, {'; '.join(found)}. The file looks like "
        f"{guess_architecture(report)}. Set architecture (and options) to what the file holds, or give another file."
    )


def _blind(architecture: str, report: LoadReport, noise: list[str]) -> str:
    return (
        f"{report.source} ({report.layout}) gives {report.share:.0%} of the weights of {architecture}, but not what "
        f"every image passes first, and random values there make noise of all that follows: {'; '.join(noise[:3])}."
    )


def _deeper(architecture: str, report: LoadReport, left_over: list[str]) -> str:
    return (
        f"{report.source} ({report.layout}) is no {architecture}, though it gives {report.share:.0%} of its weights: "
        f"{len(left_over)} weights of the same parts would be left over: {_some(left_over)}. They are a deeper "
        "network's or a variant's. Set architecture (and options) to what the file holds, or, to leave them out on "
        "purpose, drop their names by key_map."
    )


def guess_architecture(report: LoadReport) -> str:
    """Words for the kind of network that a file's names suggest."""
    names = (*report.matched, *report.mismatched, *report.unused)
    for mark, words in (
        ("layers1.0.blocks.0.", "the encoder of a SwinUNETR"),
        ("pos_encoding.class_token", "torchvision's MViT"),
        ("features.0.0.attn.", "torchvision's Swin transformer"),
        ("layer1.0.conv1.0.", "torchvision's video ResNet"),
        ("layers.0.blocks.0.", "a Swin transformer"),
        ("blocks.0.attn.", "a ViT"),
        ("layer1.0.conv3.", "a ResNet with bottlenecks (50 layers or more)"),
        ("layer1.0.conv", "a ResNet without bottlenecks (18 or 34 layers)"),
    ):
        if any(mark in name for name in names):
            return words
    return "none of the networks known here"


def _some(names: tuple[str, ...] | list[str], count: int = 6) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
