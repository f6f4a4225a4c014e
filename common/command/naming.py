"""Parts of a fine-tuning's `run_name`: what it starts from, and how much of the data it sees."""

import re
from pathlib import PurePath


def start_name(encoder_file: str | None, load_weights: bool = True) -> str:
    """Folder and name of the encoder file, such as `ace-seed0-encoder`; `scratch` where its weights are not taken."""
    if not encoder_file or not load_weights:
        return "scratch"
    parts = PurePath(encoder_file).with_suffix("").parts[-2:]
    return "-".join(re.sub(r"[^\w.+-]+", "_", part) for part in parts if not PurePath(part).anchor)


def share_name(fraction: float | None, limit: int | None) -> str:
    """What a run's name says of a label-efficient training: `-fraction0.1`, `-limit24`, or nothing for all data."""
    return "".join(f"-{name}{value}" for name, value in (("fraction", fraction), ("limit", limit)) if value)
