"""Find the encoder's weights inside the files that other projects publish (methods section 9)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """How one project lays out its files.

    Args:
        name: shown in reports.
        marks: top-level keys that tell this layout from those after it.
        teacher: where the averaged encoder is: top-level key, then the prefixes that every one of its names may have.
        student: the same for the trained encoder.
        chest: normalised with the chest X-ray constants instead of the architecture's own.
    """

    name: str
    marks: frozenset[str]
    teacher: tuple[str, tuple[str, ...]]
    student: tuple[str, tuple[str, ...]]
    chest: bool = False


_WRAPPED = ("module.", "backbone.")
_QUERY = ("module.", "encoder_q.")

# In this order: the first whose marks are all present is taken.
LAYOUTS = (
    Layout("ACE", frozenset({"student", "teacher"}), ("teacher", _WRAPPED), ("student", _WRAPPED), chest=True),
    Layout("LeADER", frozenset({"student"}), ("student", _WRAPPED), ("student", _WRAPPED)),
    Layout("Ark", frozenset({"state_dict", "teacher"}), ("teacher", _WRAPPED), ("state_dict", _WRAPPED)),
    Layout(
        "SRHRS",
        frozenset({"model_state_dict"}),
        ("model_state_dict", ("module.", "target_encoder.")),
        ("model_state_dict", ("module.", "online_encoder.")),
    ),
    # Adam and MoCo v2 hand on the query encoder; their momentum encoder is there too, but nobody reports it.
    Layout("Adam or MoCo", frozenset({"state_dict", "arch"}), ("state_dict", _QUERY), ("state_dict", _QUERY)),
    Layout("state_dict", frozenset({"state_dict"}), ("state_dict", _WRAPPED), ("state_dict", _WRAPPED)),
    Layout("model", frozenset({"model"}), ("model", _WRAPPED), ("model", _WRAPPED)),
)


@dataclass(frozen=True)
class FoundWeights:
    """Weights by timm's names, what file layout they came from, and which normalisation they expect."""

    weights: dict[str, Tensor]
    layout: str
    chest: bool


def find_weights(
    content: Mapping[str, Any], part: str = "teacher", key_map: Mapping[str, str] | None = None
) -> FoundWeights:
    """Take the encoder's weights out of a file's content and name them as timm does.

    Args:
        content: what `read_checkpoint` gave.
        part: `teacher` or `student`, where a file holds both (the authors evaluate the teacher, methods A33).
        key_map: how names of the file become timm's, see `rename`; for files of a layout that is not known here.

    Raises:
        ValueError: no known layout holds weights here; lists the top-level keys.
    """
    if part not in ("teacher", "student"):
        raise ValueError(f"part = '{part}' must be 'teacher' or 'student'.")
    name, chest = "weights", False
    prefixes: tuple[str, ...] = _WRAPPED
    weights: Any = content
    for layout in LAYOUTS:
        if layout.marks <= content.keys():
            key, prefixes = layout.teacher if part == "teacher" else layout.student
            name, chest, weights = layout.name, layout.chest, content[key]
            if layout.teacher != layout.student:
                name += f" {part}"
            break
    tensors = {key: value for key, value in weights.items() if isinstance(value, Tensor)} if weights else {}
    if not tensors:
        keys = ", ".join(map(str, list(content)[:12])) or "none"
        raise ValueError(f"No weights were found: the file's top-level keys are {keys}. Give a file with a state_dict.")
    tensors = rename(tensors, key_map or {})
    for prefix in prefixes:
        inside = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        tensors = inside or tensors
    return FoundWeights(to_timm_names(tensors), name, chest)


def rename(weights: Mapping[str, Tensor], key_map: Mapping[str, str]) -> dict[str, Tensor]:
    """Replace parts of names.

    Args:
        weights: by name.
        key_map: regular expressions and what takes the place of each match, one after the other, such as
            `{"^trunk[.]": "", "[.]gamma$": ".weight"}`; a name of which nothing is left is dropped.

    Raises:
        ValueError: an expression is none, or two names become one.
    """
    renamed: dict[str, Tensor] = {}
    for name, value in weights.items():
        new = name
        for pattern, replacement in key_map.items():
            try:
                new = re.sub(pattern, replacement, new)
            except re.error as error:
                raise ValueError(
                    f"key_map: {pattern!r} -> {replacement!r} is no regular expression: {error}"
                ) from error
        if new in renamed:
            raise ValueError(
                f"key_map: two names of the file become '{new}', the second being '{name}'; narrow it down."
            )
        if new:
            renamed[new] = value
    return renamed


def to_timm_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the original Swin's weights to timm's, and drop its buffers that follow from the sizes alone.

    The original merges patches at the end of stage i, timm at the start of stage i + 1.
    """
    kept = {key: value for key, value in weights.items() if not key.endswith(("relative_position_index", "attn_mask"))}
    if "layers.0.downsample.reduction.weight" not in kept:
        return kept
    return {
        re.sub(r"^layers\.(\d+)\.downsample\.", lambda match: f"layers.{int(match[1]) + 1}.downsample.", key): value
        for key, value in kept.items()
    }
