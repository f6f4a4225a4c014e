"""Find the encoder's weights inside the files that other projects publish (methods section 9).

A file may hold several copies of an encoder among heads, decoders and the state of a training, each below a path such
as `state_dict.module.encoder_q.`. The path is found by the encoder's own names, whatever it is called.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .key_map import rename


@dataclass(frozen=True)
class Layout:
    """A project that is known by the top-level keys of its files.

    Args:
        name: shown in reports.
        marks: top-level keys that tell this layout from those after it.
        chest: normalised with the chest X-ray constants instead of the architecture's own.
    """

    name: str
    marks: frozenset[str]
    chest: bool = False


# In this order: the first whose marks are all present is taken.
LAYOUTS = (
    Layout("ACE", frozenset({"student", "teacher", "barlow_loss"}), chest=True),
    Layout("DINO", frozenset({"student", "teacher", "dino_loss"})),
    Layout("ACE", frozenset({"student", "teacher"}), chest=True),
    Layout("LeADER", frozenset({"student"})),
    Layout("Ark", frozenset({"state_dict", "teacher"})),
    Layout("SRHRS", frozenset({"model_state_dict"})),
    Layout("Adam or MoCo", frozenset({"state_dict", "arch"})),
)

_WRAPPERS = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}  # of torch.compile and sharding
_OF_TRAINING = ("optim", "sched", "scaler")
_AVERAGED = {"teacher", "ema", "averaged", "average", "momentum", "target", "shadow", "swa", "polyak"}
# Adam and MoCo v2 hand on the query encoder; their momentum encoder is there too, but nobody reports it.
_QUERY, _KEY = "encoder_q", "encoder_k"
# Copies of one encoder may differ by a few names, such as the counters of batch norms.
_AS_WHOLE = 0.9


@dataclass(frozen=True)
class FoundWeights:
    """Weights by timm's names, and where in the file they were.

    Args:
        weights: the encoder's, and the heads and decoders beside it.
        layout: what the file turned out to be, such as `ACE teacher`.
        chest: normalised with the chest X-ray constants.
        passed_over: parts of the file that look like averaged weights, where one was wanted and none fits.
    """

    weights: dict[str, Tensor]
    layout: str
    chest: bool
    passed_over: tuple[str, ...] = ()


def find_weights(
    content: Mapping[str, Any],
    names: Collection[str],
    part: str = "teacher",
    key_map: Mapping[str, str] | None = None,
) -> FoundWeights:
    """Take the encoder's weights out of a file's content and name them as timm does.

    Args:
        content: what `read_checkpoint` gave.
        names: of the weights of the network to fill.
        part: `teacher` (an averaged copy) or `student` (the trained one), where a file holds both (the authors
            evaluate the teacher, methods A33).
        key_map: how names of the file become timm's, see `rename`; applied to each state dict before anything else.

    Raises:
        ValueError: no weights here (lists the top-level keys), no trained copy where one is asked for, or several
            copies between which nothing decides.
    """
    if part not in ("teacher", "student"):
        raise ValueError(f"part = '{part}' must be 'teacher' or 'student'.")
    named = dict(_tensors(content, key_map or {}))
    if not named:
        keys = ", ".join(map(str, list(content)[:12])) or "none"
        raise ValueError(f"No weights were found: the file's top-level keys are {keys}. Give a file with a state_dict.")
    copies = _copies(named, names)
    chosen = _choose(copies, part)
    weights = {name.removeprefix(chosen): value for name, value in named.items() if name.startswith(chosen)}
    known = next((layout for layout in LAYOUTS if layout.marks <= content.keys()), None)
    layout = known.name if known else _where(chosen)
    if known and len(copies) > 1 and _QUERY not in _words(chosen):
        layout += " teacher" if _is_averaged(chosen) else " student"
    passed_over = [] if part == "student" or _is_averaged(chosen) else _averaged(named)
    return FoundWeights(to_timm_names(weights), layout, known is not None and known.chest, tuple(passed_over))


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


def _tensors(content: Any, key_map: Mapping[str, str], path: str = "", depth: int = 5) -> Iterator[tuple[str, Tensor]]:
    """Every named tensor by its whole path, but for what an optimiser and the like keep."""
    items = dict(enumerate(content)) if isinstance(content, list | tuple) else content
    own = {str(key): value for key, value in items.items() if isinstance(value, Tensor)}
    for name, value in rename(own, key_map).items():
        yield path + ".".join(word for word in name.split(".") if word not in _WRAPPERS), value
    for key, value in items.items():
        is_nested = isinstance(value, Mapping | list | tuple) and depth > 0
        if is_nested and not (isinstance(key, str) and key.lower().startswith(_OF_TRAINING)):
            yield from _tensors(value, key_map, f"{path}{key}.", depth - 1)


def _copies(named: Mapping[str, Tensor], names: Collection[str]) -> list[str]:
    """Paths below which a copy of the encoder lies; where there is none, the one path with most of its names."""
    wanted = {name for name in names if not name.endswith("num_batches_tracked")}
    wanted |= {
        re.sub(r"^layers\.(\d+)\.downsample\.", lambda match: f"layers.{int(match[1]) - 1}.downsample.", name)
        for name in wanted
    }
    found: Counter[str] = Counter()
    for name in named:
        words = name.split(".")
        for start in range(len(words)):
            if ".".join(words[start:]) in wanted:
                found[".".join([*words[:start], ""])] += 1
    if not found:
        return [""]
    path, most = found.most_common(1)[0]
    if most < len(names) / 2:  # another network, of which no copy need be chosen
        return [path]
    return [path for path, count in found.items() if count >= _AS_WHOLE * most]


def _choose(copies: list[str], part: str) -> str:
    """The copy to take.

    Raises:
        ValueError: the student is asked for and only averaged copies are there, or more than one is left.
    """
    query = [path for path in copies if _QUERY in _words(path)]
    copies = query or [path for path in copies if _KEY not in _words(path)] or copies
    averaged = [path for path in copies if _is_averaged(path)]
    trained = [path for path in copies if not _is_averaged(path)]
    if part == "student" and not trained:
        raise ValueError(f"part = 'student', but the file holds only averaged weights ({_where(averaged[0])}).")
    left = trained if part == "student" else averaged or trained
    if len(left) > 1:
        raise ValueError(
            f"The file holds several copies of the network: {', '.join(map(_where, left))}. Save the one that is meant "
            "to a file of its own, or drop the names of the others by key_map."
        )
    return left[0]


def _averaged(named: Mapping[str, Tensor]) -> list[str]:
    """Names of parts of the file that look like averaged weights."""
    marks = (next(filter(_is_averaged, _words(name)[:-1]), None) for name, value in named.items() if value.numel() > 1)
    return list(dict.fromkeys(mark for mark in marks if mark is not None))


def _where(path: str) -> str:
    return path.removesuffix(".") or "weights"


def _is_averaged(path: str) -> bool:
    return bool(_AVERAGED & set(re.split(r"[._\-]", path.lower())))


def _words(path: str) -> list[str]:
    return path.split(".")
