"""The weights that every image passes first, without which all the others compute something else."""

import re
from collections.abc import Collection, Mapping

Shape = tuple[int, ...]

# First convolution with its norm, tokens that join the image's, and positions: of the whole image or within a window.
_FIRST = re.compile(
    r"^(patch_embed|conv_proj|stem|conv1|bn1|norm_pre|pos_encoding|cls_token|dist_token|reg_token|register_tokens)\b"
    r"|(^|[._])(pos_embed|relative_position_bias_table|rel_pos_[a-z]+)\b"
)


def unfilled(missing: Collection[str], mismatched: Mapping[str, tuple[Shape, Shape]]) -> list[str]:
    """What is wrong with each of them, and what to do; empty where all can be filled.

    Args:
        missing: the encoder's names that a file lacks.
        mismatched: names whose shapes differ after all resampling, with the file's shape and the encoder's.
    """
    gone = [
        f"{name} is missing: rename it by key_map if the file has it by another name, else give a file that holds it"
        for name in missing
        if _FIRST.search(name)
    ]
    return gone + [
        f"{name} has shape {theirs}, not {ours}: {_remedy(name, theirs, ours)}"
        for name, (theirs, ours) in mismatched.items()
        if _FIRST.search(name)
    ]


def _remedy(name: str, theirs: Shape, ours: Shape) -> str:
    if name == "patch_embed.proj.weight" and len(theirs) == len(ours) and theirs[2:] != ours[2:]:
        side = f"{theirs[2]}" if len(set(theirs[2:])) == 1 else f"{list(theirs[2:])}"
        return f"set patch_size of options to {side}, the file's, or give a file with patches of {list(ours[2:])}"
    if name.endswith("pos_embed"):
        return (
            "they are resampled only from a square of patches and the encoder's own width and prefix tokens; set "
            "options (class_token, no_embed_class, reg_tokens, embed_dim) to what the file holds"
        )
    return "set architecture (and options) to what the file holds"
