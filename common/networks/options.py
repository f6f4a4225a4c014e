"""Which of timm's arguments may make a variant of an encoder: sizes, switches, and names of parts that timm builds in.

An option can come from the header of somebody's file, so it may be nothing that timm would fetch, open or call.
"""

import difflib
import math
import re
from collections.abc import Mapping
from typing import Any

MOST = 65536  # of any count: above every published network, below what fills a memory
_NAME = re.compile(r"|[a-z][a-z0-9_]{0,31}")

_WHOLE = [
    "depth",
    "embed_dim",
    "head_dim",
    "reg_tokens",
    "output_stride",
    "cardinality",
    "base_width",
    "stem_width",
    "block_reduce_first",
    "down_kernel_size",
]
_WHOLES = ["patch_size", "window_size", "num_heads", "depths", "layers", "channels"]
_NUMBER = [
    "mlp_ratio",
    "init_values",
    "drop_rate",
    "pos_drop_rate",
    "patch_drop_rate",
    "proj_drop_rate",
    "attn_drop_rate",
    "drop_block_rate",
]
_SWITCH = [
    "qkv_bias",
    "qk_norm",
    "scale_attn_norm",
    "scale_mlp_norm",
    "proj_bias",
    "class_token",
    "no_embed_class",
    "pre_norm",
    "final_norm",
    "fc_norm",
    "pool_include_prefix",
    "dynamic_img_pad",
    "fix_init",
    "always_partition",
    "strict_img_size",
    "replace_stem_pool",
    "avg_down",
    "zero_init_last",
]
_NAMED = ["global_pool", "pos_embed", "weight_init", "stem_type", "act_layer", "norm_layer", "embed_norm_layer"]

KINDS = {
    **dict.fromkeys(_WHOLE, f"a whole number up to {MOST}"),
    **dict.fromkeys(_WHOLES, f"a whole number up to {MOST}, or a list of them"),
    **dict.fromkeys(_NUMBER, "a finite number"),
    **dict.fromkeys(_SWITCH, "true or false"),
    **dict.fromkeys(_NAMED, "a name of small letters, digits and underscores"),
}
"""What each option takes, by name; null, timm's default for some, is allowed for all."""

OF_THE_ENCODER = {
    "img_size": "image_size",
    "in_chans": "in_channels",
    "drop_path_rate": "drop_path",
    "num_classes": "nothing",
}
"""Arguments that the encoder sets, and what is given instead."""


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse an option that is no size, switch or name, whoever gave it.

    Args:
        options: as JSON gives them back: lists, not tuples.

    Raises:
        ValueError: an option outside the list, or a value of another kind; names the nearest.
    """
    for name, value in options.items():
        if name in OF_THE_ENCODER:
            raise ValueError(f"options: '{name}' is set by the encoder itself; give {OF_THE_ENCODER[name]} instead.")
        if name not in KINDS:
            near = difflib.get_close_matches(str(name), KINDS, n=1, cutoff=0.5)
            hint = f"the nearest is '{near[0]}'" if near else f"known are {', '.join(sorted(KINDS))}"
            raise ValueError(f"options: '{name}' is none that makes a variant of an encoder; {hint}.")
        if value is not None and not _is(name, value):
            raise ValueError(f"options: {name} = {str(value)[:80]!r} must be {KINDS[name]}.")


def _is(name: str, value: Any) -> bool:
    if name in _WHOLE:
        return _is_whole(value)
    if name in _WHOLES:
        return _is_whole(value) or (isinstance(value, list) and 0 < len(value) <= 64 and all(map(_is_whole, value)))
    if name in _NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if name in _SWITCH:
        return isinstance(value, bool)
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST
