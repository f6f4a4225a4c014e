"""Complete a bundle's metadata with what the trained network and its run turned out to be."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from .data_section import as_text

AXES = {
    2: "(row, column): rows run down the picture, columns to its right; "
    "MONAI's own readers of pictures give (column, row)",
    3: "(D, H, W): D runs to the patient's head, H to the back, W to the left",
}
"""Of inputs and outputs, by the number of sides."""


def probe_network(network: nn.Module, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """One fixed random image or volume (1, C, ...) in [0, 1], and what the network answers in evaluation mode.

    Args:
        network: takes the image.
        shape: C, and the sizes.
    """
    images = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return images, network.eval()(images)


def complete_metadata(
    metadata: Mapping[str, Any],
    images: Tensor,
    output: Tensor,
    metrics: Mapping[str, float],
    provenance: Mapping[str, Any],
    classes: Sequence[str] | None = None,
    data: Mapping[str, Any] | None = None,
    measured: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Metadata of an exported bundle.

    Args:
        metadata: the bundle's own, as in `configs/metadata.json`.
        images: an input (1, C, ...) of the network.
        output: its answer (1, K, ...).
        metrics: measured values by name; they replace `eval_metrics`.
        provenance: where the weights come from, such as commit and data fingerprint; empty entries are left out.
        classes: names of the K outputs; None keeps the bundle's, or numbers them where their count has changed. Those
            of structures get the numbers that they have in the label map, from 1 on, which is where MONAI Label
            looks for them.
        data: what the weights were trained on, of `training_data`; it replaces the bundle's example in `data_source`.
        measured: `data`, `split` and `count` of what the metrics were measured on.
    """
    completed = deepcopy(dict(metadata))
    formats = completed["network_data_format"]
    _describe(formats["inputs"]["image"], images)
    _describe(formats["outputs"]["pred"], output)
    pred = formats["outputs"]["pred"]
    # in a label map 0 is the background; the sides of a box stand before what it is of
    first = {"segmentation": 1, "boxes": 4}.get(pred["format"], 0)
    if classes is None and _one_name_per_channel(pred) and len(pred["channel_def"]) != output.shape[1]:
        classes = [f"output {index}" for index in range(output.shape[1])]
    if classes is not None:
        sides = {str(index): pred["channel_def"][str(index)] for index in range(4 if pred["format"] == "boxes" else 0)}
        pred["channel_def"] = {**sides, **{str(index): name for index, name in enumerate(classes, first)}}
    if pred["format"] == "segmentation":
        formats["post_processed_outputs"] = {"pred": _label_map(pred["channel_def"])}
    completed["axes"] = AXES[images.ndim - 2]
    if metrics:
        completed["eval_metrics"] = dict(metrics)
        completed["evaluated_on"] = dict(measured or {})
    completed["training_data"] = dict(data or {})
    completed["data_source"] = as_text(completed["training_data"])
    completed["provenance"] = {name: value for name, value in provenance.items() if value}
    return completed


def _label_map(names: Mapping[str, str]) -> dict[str, Any]:
    """What inference makes of maps of structures: one number for each pixel of the image."""
    return {
        "type": "image",
        "format": "segmentation",
        "num_channels": 1,
        "spatial_shape": ["*", "*"],
        "dtype": "uint8",
        "value_range": [0, len(names)],
        "is_patch_data": False,
        "channel_def": {"0": "background", **names},
    }


def _describe(entry: dict[str, Any], tensor: Tensor) -> None:
    entry["num_channels"] = tensor.shape[1]
    entry["spatial_shape"] = list(tensor.shape[2:])
    entry["dtype"] = str(tensor.dtype).removeprefix("torch.")


def _one_name_per_channel(entry: Mapping[str, Any]) -> bool:
    """Embeddings and images name their channels once, as a whole."""
    return entry.get("format") in ("classes", "segmentation") or len(entry.get("channel_def", {})) > 1
