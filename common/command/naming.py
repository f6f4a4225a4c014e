"""A run's default name: parts of it, and its length."""

import hashlib
import re
from pathlib import PurePath

LONGEST_NAME = 64
"""Letters of a whole name, which stands in paths, tables and MLflow's lists."""


def start_name(encoder_file: str | None, load_weights: bool = True) -> str:
    """Folder and name of the encoder file, such as `ace-seed0-encoder`; `scratch` where its weights are not taken."""
    if not encoder_file or not load_weights:
        return "scratch"
    parts = PurePath(encoder_file).with_suffix("").parts[-2:]
    return "-".join(re.sub(r"[^\w.+-]+", "_", part) for part in parts if not PurePath(part).anchor)


def share_name(fraction: float | None, limit: int | None) -> str:
    """What a run's name says of a label-efficient training: `-fraction0.1`, `-limit24`, or nothing for all data."""
    return "".join(f"-{name}{value}" for name, value in (("fraction", fraction), ("limit", limit)) if value)


def bounded(name: str) -> str:
    """A name that a person can read at a glance: a long one keeps its beginning and its seed.

    What is left out stands in a few letters that no other name has, so that two recipes never share a name.
    `config.yaml` and `command.json` in the run's folder, and MLflow's description of the run, have it all.

    Args:
        name: of any length.
    """
    if len(name) <= LONGEST_NAME:
        return name
    seed = re.search(r"-seed[^-]{0,12}$", name)
    end = f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}{seed[0] if seed else ''}"
    kept = name[: LONGEST_NAME - len(end)]
    whole = kept if name[len(kept)] == "-" else kept.rpartition("-")[0]  # up to the last part that fits
    return f"{whole if len(whole) > len(kept) // 2 else kept}{end}"
