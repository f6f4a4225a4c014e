"""The evaluator of pre-training: what its encoder knows, asked between two epochs on images never trained on."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import torch
from ignite.metrics import Metric
from monai.engines import SupervisedEvaluator
from monai.inferers import Inferer
from torch import nn

from .encoding import (
    EmbeddingCollapse,
    EncodingInferer,
    LandmarkRetrieval,
    NearestNeighbours,
    PatchProbe,
    encoding_batch,
)
from .report import better_than

PROBES: dict[str, Callable[[], Metric]] = {
    "landmark_retrieval": LandmarkRetrieval,
    "patch_auc": PatchProbe,
    "knn_auc": NearestNeighbours,
    "embedding_spread": EmbeddingCollapse,
    "embedding_rank": partial(EmbeddingCollapse, "embedding_rank"),
}
"""Each probe by the number that it is known by; `embedding_spread` and `embedding_rank` come from the same one."""


def probe_metric(name: str) -> dict[str, Metric]:
    """One of the probes, as MONAI wants its key metric: by its name.

    Args:
        name: one of `PROBES`.

    Raises:
        ValueError: there is no such probe.

    Example:
        >>> list(probe_metric("knn_auc"))
        ['knn_auc']
    """
    if name not in PROBES:
        raise ValueError(f"probe_metric is {name!r}; the probes are {', '.join(PROBES)}")
    return {name: PROBES[name]()}


class Probe(SupervisedEvaluator):
    """MONAI's evaluator of an encoder, with every probe of the collection.

    Args:
        device: of this process.
        val_data_loader: batches of `common.images.StoreImages`.
        network: the encoder.
        key_val_metric: by name the metric that picks the best epoch, a probe or another; the other probes are computed
            besides.
        inferer: makes an embedding and tokens of images; None is `EncodingInferer`.
        metric_cmp_fn: whether a key metric is better than the best before it.
        val_handlers: objects with `attach(engine)`.
    """

    def __init__(
        self,
        device: torch.device | str,
        val_data_loader: Iterable,
        network: nn.Module,
        key_val_metric: Mapping[str, Metric],
        inferer: Inferer | None = None,
        metric_cmp_fn: Callable[[float, float], bool] = better_than,
        val_handlers: Sequence | None = None,
    ):
        others = [name for name in PROBES if name != "embedding_rank" and name not in key_val_metric]
        super().__init__(
            device=device,  # type: ignore[arg-type]
            val_data_loader=val_data_loader,  # type: ignore[arg-type]
            network=network,
            inferer=inferer or EncodingInferer(),
            prepare_batch=encoding_batch,
            decollate=False,
            key_val_metric=dict(key_val_metric),
            additional_metrics={name: PROBES[name]() for name in others},
            metric_cmp_fn=metric_cmp_fn,
            val_handlers=val_handlers,
        )
