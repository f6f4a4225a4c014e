"""The block at the top of a model card that Hugging Face's hub reads."""

from collections.abc import Mapping
from typing import Any

import yaml

from .data_section import PRETRAINED, SETS, TAUGHT

_TASKS = {
    "classes": "image-classification",
    "segmentation": "image-segmentation",
    "heatmap": "keypoint-detection",
    "embedding": "image-feature-extraction",
}
"""The hub's names, by the format of `pred`."""
_LICENCE = "apache-2.0"  # every bundle's LICENSE


def front_matter(metadata: Mapping[str, Any]) -> str:
    """YAML between two lines of dashes, for `huggingface_hub.ModelCard`.

    Args:
        metadata: the exported bundle's completed metadata.
    """
    formats = metadata["network_data_format"]
    image, pred = formats["inputs"]["image"], formats["outputs"]["pred"]
    names = pred.get("channel_def", {}).values() if pred["format"] != "embedding" else ()
    trained = metadata.get("training_data", {})
    data = dict.fromkeys(entry["name"] for key in (SETS, PRETRAINED, TAUGHT) for entry in trained.get(key, ()))
    content = {
        "license": _LICENCE,
        "library_name": "monai",
        "pipeline_tag": _TASKS.get(pred["format"]),
        "tags": ["monai", "medical", *_words(image.get("modality")), *map(str, names)],
        "datasets": list(data) or None,
        "metrics": list(metadata.get("eval_metrics", {})) or None,
    }
    known = {name: value for name, value in content.items() if value is not None}
    return f"---\n{yaml.safe_dump(known, sort_keys=False, allow_unicode=True)}---"


def _words(modality: str | None) -> list[str]:
    return {"DX": ["radiography", "DX"], "CT": ["computed-tomography", "CT"]}.get(modality or "", [])
