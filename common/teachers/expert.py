"""Frozen networks whose embeddings a student learns to predict.

Shapes: B images, C channels, H W pixels, K length of the embedding.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..networks import CastWeights, Encoder
from ..records.lineage import Lineage

Edges = tuple[float, float, float, float]


class Expert(nn.Module, ABC):
    """What a student is taught by: one embedding per image, without gradient, always in evaluation mode.

    Attributes:
        embed_dim: K.
        lineage: what it was trained on, itself and through its own teachers; empty where nothing tells, as of graphs
            and of tables of embeddings.
    """

    embed_dim: int
    lineage: Lineage = Lineage()

    @abstractmethod
    def embed(self, images_BCHW: Tensor, batch: Mapping[str, Any]) -> Tensor:
        """Embeddings (B, K), float32, without gradient.

        Args:
            images_BCHW: the very images that the student sees, in [0, 1].
            batch: what else is known of them: `source` (files) and `patch` (edges (B, 4) as fractions).
        """

    @abstractmethod
    def check(self, items: Iterable[tuple[str, Edges]]) -> None:
        """Raise before the first step what would be wrong at some later one.

        Args:
            items: file and edges of everything that will be asked for.
        """


class NetworkExpert(Expert):
    """An expert that is a network, run on the images at hand.

    The network is held, not registered: its weights are in nobody's parameters, gradients, checkpoints or mode
    switches, and still move with `to`. The released code left the anatomy expert in training mode, whose batch
    statistics change its embeddings to a cosine of 0.67 (methods D5).

    Args:
        network: frozen here; takes images (B, channels, image_size, image_size) and gives (B, K).
        image_size: side in pixels that it was made for; other images are resized to it.
        channels: 1 or 3; grey images are repeated, colours averaged.
        mean: per channel, of images in [0, 1], for a network that does not normalise by itself; None for one that does.
        std: likewise.
        weights: hash of its weights.
        forward: how it is called; None calls the network itself.

    Attributes:
        fingerprint: tells one expert's embeddings from another's. The same weights say other things of images that
            are prepared in another way, so how they are prepared is in it.

    Raises:
        ValueError: it does not give one vector per image.

    Example:
        >>> network = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
        >>> expert = NetworkExpert(network, image_size=8)
        >>> expert.embed_dim, expert.embed(torch.ones(3, 1, 32, 32), {}).shape
        (4, torch.Size([3, 4]))
    """

    def __init__(
        self,
        network: nn.Module,
        image_size: int,
        channels: int = 1,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        weights: str = "",
        forward: Callable[[Tensor], Tensor] | None = None,
    ):
        super().__init__()
        self._held = (network.eval(),)
        for parameter in network.parameters():  # TorchScript has no requires_grad_ for all
            parameter.requires_grad_(False)
        self._call = forward
        owner = getattr(forward, "__self__", None) if forward else network
        # what else is called may leave mixed precision, where cast weights would not do
        self._cast_weights = CastWeights(owner if isinstance(owner, Encoder) else nn.Module())
        self.image_size, self.channels = image_size, channels
        self.mean, self.std = _values(mean, "mean", channels, 0.0), _values(std, "std", channels, 1.0)
        prepared = self.image_size, self.channels, self.mean.flatten().tolist(), self.std.flatten().tolist()
        self.fingerprint = hashlib.sha256(json.dumps([weights, *prepared]).encode()).hexdigest()[:16]
        probe = self.embed(torch.zeros(2, channels, image_size, image_size), {})
        self.embed_dim = probe.shape[1]

    @property
    def network(self) -> nn.Module:
        """The frozen network."""
        return self._held[0]

    @torch.no_grad()
    def embed(self, images_BCHW: Tensor, batch: Mapping[str, Any]) -> Tensor:
        """Embeddings (B, K) of images (B, C, H, W) in [0, 1]; `batch` is not looked at."""
        with self._cast_weights.in_use():
            found = (self._call or self.network)(self._prepared(images_BCHW))
        if not isinstance(found, Tensor) or found.ndim != 2:
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(
                f"the expert gives {shape} for {len(images_BCHW)} images; expected one vector for each, (B, K). Export "
                "the network up to its pooled features."
            )
        return found.float()

    def check(self, items: Iterable[tuple[str, Edges]]) -> None:
        """Raise unless everything is frozen and in evaluation mode.

        Raises:
            RuntimeError: somebody made a parameter trainable, or switched the network to training.
        """
        trainable = [name for name, parameter in self.network.named_parameters() if parameter.requires_grad]
        if trainable:
            raise RuntimeError(
                f"the expert's {trainable[0]} and {len(trainable) - 1} more parameters are trainable, not frozen. "
                "Call requires_grad_(False) on its network, and give the optimiser the method's parameters alone."
            )
        training = [name or "itself" for name, module in self.network.named_modules() if module.training]
        if training:
            raise RuntimeError(
                f"the expert's network is in training mode ({training[0]}): its embeddings would depend on the batch. "
                "Call eval() on it."
            )

    def _prepared(self, images_BCHW: Tensor) -> Tensor:
        images = images_BCHW
        if images.shape[1] != self.channels:
            images = images.mean(1, keepdim=True).expand(-1, self.channels, -1, -1)
        if images.shape[2:] != (self.image_size, self.image_size):
            images = F.interpolate(images, (self.image_size, self.image_size), mode="bilinear", antialias=True)
        return (images - self.mean.to(images.device)) / self.std.to(images.device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "NetworkExpert":
        self.network._apply(fn, recurse)
        return super()._apply(fn, recurse)


def _values(given: float | Sequence[float] | None, name: str, channels: int, default: float) -> Tensor:
    values = [default] if given is None else [given] if isinstance(given, int | float) else list(given)
    if len(values) not in (1, channels):
        raise ValueError(f"the expert's {name} has {len(values)} values for {channels} channels; give one per channel.")
    return torch.tensor(values, dtype=torch.float32).expand(channels).reshape(1, -1, 1, 1)
