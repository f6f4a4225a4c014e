"""What an encoder is, apart from its weights."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..records.data_used import DataUsed, as_data_used
from ..records.lineage import EXPERTS, Lineage, as_lineage
from .options import check_options

# ACE and PEAC, grey chest X-rays in [0, 1]; every other released encoder of the collection uses ImageNet's.
CHEST_MEAN, CHEST_STD = 0.5056, 0.252
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


_ARCHITECTURE = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class EncoderDescription:
    """Everything needed to build the encoder again and to feed it; stored in the header of every encoder file.

    Args:
        architecture: timm model name without pre-training tag, such as `swin_base_patch4_window7_224`.
        options: timm keyword arguments that differ from that name's, such as `{"depth": 6}`.
        in_channels: channels of the input image.
        image_size: side in pixels of the images it was built for.
        mean: mean per channel, of images in [0, 1].
        std: standard deviation per channel, of images in [0, 1].
        method: how the weights were made, such as `cxr_ace`; empty for random weights.
        corpora: names of the data sets they were made from.
        commit: version of the code that made them.
        trained_on: splits and numbers of images of these data sets, in the order of the trainings that the weights went
            through; files of earlier versions, and of others, tell names alone.
        experts: data of the teachers that these trainings learned from, as far as those tell.

    Raises:
        ValueError: a value of another kind than these, which a file's header may hold; an option that is not allowed.
    """

    architecture: str
    options: Mapping[str, Any] = field(default_factory=dict)
    in_channels: int = 1
    image_size: int = 224
    mean: tuple[float, ...] = (CHEST_MEAN,)
    std: tuple[float, ...] = (CHEST_STD,)
    method: str = ""
    corpora: tuple[str, ...] = ()
    commit: str = ""
    trained_on: tuple[DataUsed, ...] = ()
    experts: Lineage = field(default_factory=Lineage)

    def __post_init__(self) -> None:
        # One spelling for what JSON gives back (lists) and what a config or code gives (lists, tuples, mappings).
        if not isinstance(self.architecture, str) or not _ARCHITECTURE.fullmatch(self.architecture):
            raise ValueError(
                f"architecture = {str(self.architecture)[:80]!r} is no timm name without a tag, such as resnet50."
            )
        for name, count, most in (("in_channels", self.in_channels, 4096), ("image_size", self.image_size, 65536)):
            if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= most:
                raise ValueError(f"{name} = {str(count)[:80]} must be a whole number from 1 to {most}.")
        if not isinstance(self.options, Mapping):
            raise ValueError(f"options = {str(self.options)[:80]!r} must be a mapping of timm's arguments.")
        object.__setattr__(self, "options", json.loads(json.dumps(dict(self.options))))
        check_options(self.options)
        object.__setattr__(self, "mean", tuple(float(value) for value in self.mean))
        object.__setattr__(self, "std", tuple(float(value) for value in self.std))
        if isinstance(self.corpora, str) or not all(isinstance(name, str) for name in self.corpora):
            raise ValueError(f"corpora = {str(self.corpora)[:80]!r} must be a list of names.")
        object.__setattr__(self, "corpora", tuple(self.corpora))
        object.__setattr__(self, "trained_on", as_data_used(self.trained_on))
        object.__setattr__(self, EXPERTS, as_lineage(self.experts))
        if not isinstance(self.method, str) or not isinstance(self.commit, str):
            raise ValueError("method and commit must be texts.")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if not all(map(math.isfinite, values)):
                raise ValueError(f"{name} = {values} must be finite.")
            if len(values) != self.in_channels:
                raise ValueError(
                    f"{name} has {len(values)} values for in_channels = {self.in_channels}; give one per channel."
                )
        if min(self.std) <= 0:
            raise ValueError(f"std = {self.std} must be positive; it divides the image.")

    def to_json(self) -> str:
        """The description as one JSON object."""
        content = asdict(self)
        for name in ("trained_on", EXPERTS):
            if not getattr(self, name):  # as earlier versions wrote it: what is hashed with it stays the same
                del content[name]
        return json.dumps(content, sort_keys=True)

    @property
    def origin(self) -> dict[str, Any]:
        """How and from which data the weights were made, in plain values; empty for random weights."""
        if not (self.method or self.corpora):
            return {}
        origin: dict[str, Any] = {"method": self.method, "corpora": list(self.corpora)}
        origin |= {"trained_on": [used.as_dict() for used in self.trained_on]} if self.trained_on else {}
        return origin | ({EXPERTS: self.experts.as_dict()} if self.experts else {})

    @property
    def lineage(self) -> Lineage:
        """All data behind the weights: of their own trainings and of those that taught them."""
        return Lineage(self.corpora, self.trained_on) + self.experts

    def without_origin(self) -> "EncoderDescription":
        """The same network, whatever its weights were made from."""
        return replace(self, method="", corpora=(), commit="", trained_on=(), experts=Lineage())

    @classmethod
    def from_json(cls, text: str) -> "EncoderDescription":
        """Read `to_json`'s text; entries that a newer version added are left out.

        Raises:
            ValueError: no JSON object, or values that describe no encoder.
        """
        content = json.loads(text)
        if not isinstance(content, dict) or "architecture" not in content:
            raise ValueError("it is no JSON object with an architecture")
        return cls(**{name: content[name] for name in cls.__dataclass_fields__ if name in content})


def default_normalisation(in_channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of images in [0, 1]: chest X-rays for one channel, ImageNet for three.

    Raises:
        ValueError: for other channel counts, which have no customary constants.
    """
    if in_channels == 1:
        return (CHEST_MEAN,), (CHEST_STD,)
    if in_channels == 3:
        return IMAGENET_MEAN, IMAGENET_STD
    raise ValueError(f"in_channels = {in_channels} has no customary normalisation; give mean and std, one per channel.")


def per_channel(values: float | Sequence[float], in_channels: int) -> tuple[float, ...]:
    """`values` as one number per channel: a single number serves all channels."""
    numbers = (values,) if isinstance(values, (int, float)) else tuple(values)
    return numbers * in_channels if len(numbers) == 1 else numbers
