"""The inference config inside `models/model.ts`, for clients that have the file alone."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from .rewrite import TARGET, VENDORED

# As the bundle's reader: rows first. A picture of another kind than Pillow reads in grey is refused.
_READER = {"reader": "PILReader", "reverse_indexing": False}
_INFERER = {TARGET: "monai.inferers.SimpleInferer"}
# `common.images.white_is_one` in one expression, since such a client has no code of ours
_SCALED = {
    "$common.images.white_is_one": "$lambda image: (image if image.ndim == 3 else image[None]) / "
    "(2 ** max(8, int(image.max()).bit_length()) - 1 if image.max() > 1 or not image.is_floating_point() else 1)"
}


def graph_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that takes MONAI's own classes where it takes the bundle's and MONAI has one of that purpose.

    Clients such as MONAI Deploy read `preprocessing`, `inferer` and `postprocessing` from the graph's file, drop what
    loads images, and cannot see `scripts`. The network is the graph, so that an inferer which asks the bundle's
    network for more is of no use to them. What the bundle itself makes of the network's answer they do without.

    Args:
        config: an exported `inference.json`.
    """
    changed = deepcopy(dict(config))
    for transform in changed.get("preprocessing", {}).get("transforms", []):
        if _is_own(transform.get("reader")):
            transform.update(_READER)
        if transform.get("func") in _SCALED:
            transform["func"] = _SCALED[transform["func"]]
    after = changed.get("postprocessing", {})
    if "transforms" in after:
        after["transforms"] = [transform for transform in after["transforms"] if not _is_own(transform)]
    if _is_own(changed.get("inferer")):
        changed["inferer"] = dict(_INFERER)
    return changed


def _is_own(entry: Any) -> bool:
    return isinstance(entry, Mapping) and str(entry.get(TARGET, "")).startswith(f"{VENDORED}.")
