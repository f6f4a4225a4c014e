"""Configs that older runs tracked say names of their time; an export reads them by those of today."""

import re
from typing import Any

from ..inert import is_inert

RENAMED = {
    **{
        f"common.data.{name}": f"common.images.{name}"
        for name in (
            "DecodeImaged",
            "DecodeMasksd",
            "PatchRule",
            "PictureReader",
            "RegionSource",
            "SeededDataset",
            "StoreImages",
            "StoreRegions",
            "StoreViews",
            "as_items",
            "open_store",
            "read_image",
            "read_mask",
        )
    },
    **{f"common.data.{name}": f"common.sampling.{name}" for name in ("SampleKey", "SeededSampler", "generator_for")},
    "common.data.read": "common.readers.read",
    "common.data.volumes": "common.volumes",
    "common.evaluation.Spread": "common.evaluation.EmbeddingCollapse",
    "common.teachers.remember": "common.teachers.cached_expert",
    "bundles.cxr_adam.scripts.heads.UnitHead": "bundles.cxr_adam.scripts.heads.MoCoProjectionHead",
    "common.losses.ExpertLoss": "common.losses.EmbeddingMSE",
    "common.losses.UnitMSE": "common.losses.EmbeddingMSE",
    "common.engines.merged_config": "common.command.merged_config",
    "common.engines.refuse_foreign_code": "common.command.refuse_foreign_code",
    "common.engines.refuse_unknown_keys": "common.command.refuse_unknown_keys",
    "common.engines.run_stages": "common.command.run_stages",
    "common.engines.Stage": "common.command.Stage",
}
"""Full dotted name in the configs of earlier versions -> where it is now."""

_EARLIER = re.compile(
    "|".join(rf"(?<![\w.]){re.escape(name)}(?!\w)" for name in sorted(RENAMED, key=len, reverse=True))
)


def present_names(config: Any) -> Any:
    """A copy of a config whose components and expressions name things as this version does; other texts stay.

    Args:
        config: nested dicts and lists.
    """
    if isinstance(config, dict):
        return {key: _entry(key, value) for key, value in config.items()}
    if isinstance(config, list):
        return [present_names(value) for value in config]
    if isinstance(config, str) and config.startswith("$") and not is_inert(config):
        return _renamed(config)
    return config


def _entry(key: Any, value: Any) -> Any:
    return _renamed(value) if key == "_target_" and isinstance(value, str) else present_names(value)


def _renamed(text: str) -> str:
    return _EARLIER.sub(lambda found: RENAMED[found[0]], text)
