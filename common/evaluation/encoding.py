"""Evaluating an encoder inside a MONAI evaluator: inferer, batch layout and probe metrics."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from ignite.metrics import Metric
from monai.inferers import Inferer
from torch import Tensor

from ..files import write_atomically
from . import probes


def encoding_batch(
    batch: Mapping[str, Any], device: torch.device, non_blocking: bool = False, **_: Any
) -> tuple[Tensor, dict[str, Any]]:
    """Split a batch into its images, on the device, and everything that is known about them."""
    image = batch["image"].to(device=device, non_blocking=non_blocking)
    return image, {key: value for key, value in batch.items() if key != "image"}


def save_metrics(metrics: Mapping[str, float], path: str, tracking: Any = None) -> None:
    """Write an evaluator's numbers as JSON, null where undefined, and print them with four digits and their place.

    Args:
        metrics: `evaluator.state.metrics`.
        path: file to write; its folder is made.
        tracking: `common.reporting.Tracking`, which knows the page that shows them; None names none.
    """
    numbers = {name: None if math.isnan(value) else value for name, value in sorted(metrics.items())}
    write_atomically(json.dumps(numbers, indent=2) + "\n", Path(path))
    lines = [f"{name}: {'undefined' if value is None else f'{value:.4g}'}" for name, value in numbers.items()]
    curves = tracking.where_to_look() if tracking is not None else []
    print("\n".join([*lines, f"Written to {path}", *(f"  {line}" for line in curves)]))


class EncodingInferer(Inferer):
    """Encode images into a global embedding (B, E) and tokens (B, E, H, W) in one pass."""

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Return `embedding` and `tokens` of a batch of images."""
        embedding, tokens = network.encode(inputs)  # type: ignore[attr-defined]
        return {"embedding": embedding.float(), "tokens": tokens.float()}


class ProbeMetric(Metric):
    """Collect what an encoder says of a set of images and score it once at the end.

    It reads the evaluator's output `{"pred": {"embedding", "tokens"}, "label": {...}}` and writes each number of
    the probe under its own name beside the metric's. A probe without its material (no landmarks, no mask, one class)
    is nan and adds no other number.
    """

    def __init__(self, headline: str, probe: Callable[[dict[str, Any]], dict[str, float]], needs: tuple[str, ...]):
        self.headline = headline
        self.probe = probe
        self.needs = needs
        super().__init__(output_transform=lambda output: (output["pred"], output["label"]))

    def reset(self) -> None:
        """Forget the images seen so far."""
        self.seen: dict[str, list[Any]] = {name: [] for name in self.needs}

    def update(self, output: tuple[dict[str, Tensor], dict[str, Any]]) -> None:
        """Keep the parts of one batch that the probe needs, on the CPU."""
        batch = {**output[1], **output[0]}
        if not all(name in batch for name in self.needs):
            return  # tokens of many images are large; keep none that no probe will use
        for name in self.needs:
            value = batch[name]
            if isinstance(value, Tensor):
                self.seen[name].append(value.detach().cpu())
            else:
                self.seen[name].extend(value)

    def compute(self) -> dict[str, float]:
        """Score the images seen; the headline number is always there."""
        if not all(self.seen.values()):
            return {self.headline: float("nan")}
        joined = {name: torch.cat(v) if isinstance(v[0], Tensor) else v for name, v in self.seen.items()}
        return {self.headline: float("nan"), **self.probe(joined)}

    def completed(self, engine: Any, name: str) -> None:
        """Write each number under its own name and the headline under the metric's."""
        result = self.compute()
        engine.state.metrics.update(result)
        engine.state.metrics[name] = result[self.headline]


class LandmarkRetrieval(ProbeMetric):
    """`probes.landmark_retrieval` over an evaluator's run."""

    def __init__(self) -> None:
        super().__init__(
            "landmark_retrieval",
            lambda seen: probes.landmark_retrieval(seen["tokens"], seen["landmarks"].float(), seen["patient_id"]),
            needs=("tokens", "landmarks", "patient_id"),
        )


class PatchProbe(ProbeMetric):
    """`probes.patch_probe` over an evaluator's run, on one structure's masks.

    Args:
        structure: which channel of the batch's `mask` to probe.
    """

    def __init__(self, structure: int = 0) -> None:
        super().__init__(
            "patch_auc",
            lambda seen: probes.patch_probe(seen["tokens"], seen["mask"][:, structure], seen["patient_id"]),
            needs=("tokens", "mask", "patient_id"),
        )


class NearestNeighbours(ProbeMetric):
    """`probes.knn` over an evaluator's run."""

    def __init__(self) -> None:
        super().__init__(
            "knn_auc",
            lambda seen: probes.knn(seen["embedding"], seen["labels"].float(), seen["patient_id"]),
            needs=("embedding", "labels", "patient_id"),
        )


class EmbeddingCollapse(ProbeMetric):
    """`probes.spread` over an evaluator's run: the collapse diagnostics.

    Args:
        headline: which of its numbers is the metric.
    """

    def __init__(self, headline: Literal["embedding_spread", "embedding_rank"] = "embedding_spread") -> None:
        super().__init__(headline, lambda seen: probes.spread(seen["embedding"]), needs=("embedding",))
