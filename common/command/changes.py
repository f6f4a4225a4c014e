"""What a command changes of its recipe, as a part of the run's default name."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from .given import Command, current_command, merged_config

ELSEWHERE = re.compile(r"(?:evaluate|inference|network|multi_gpu)$")
"""Overlays that say where or on what a run is judged or computed, and nothing of how it is trained."""

NOT_OF_THE_RECIPE = (
    *("bundle_root", "output_root", "run_name", "resume", "verbose", "initialize", "finalize", "checks", "run"),
    *("prepare", "num_workers", "device", "cache_rate", "probe_dir", "ckpt_path", "base", "tracking", "progress"),
)
"""Keys that a run may change without becoming another one: places, processes, and what is printed."""

ELSEWHERE_TOLD = (
    "dataset_dir",
    "dataset_options",
    "epochs",
    "val_interval",
    "start_from",
    "stages",
    "tracking",
    "validate",
    "seed",
)
"""Keys that a name says nothing of though the recipe changes: data by its name, length because it may grow."""

LONGEST = 80  # letters of all changes; file systems allow 255 of a whole name


def changes_name() -> str:
    """Overlays and overrides of this command, such as `-small-decoder_unet`; nothing for the recipe as it is.

    What the rest of `run_name` tells already (the keys that its expression leads to) is not repeated. So two commands
    that train differently have, but for data and length, folders of their own without a word about names.
    """
    command, config = current_command(), merged_config()
    if command is None or config is None:
        return ""
    return _name(command, set(_leading_to(config, str(config.get("run_name", "")))))


def _name(command: Command, told: set[str]) -> str:
    parts = [PurePath(file).stem for file in command.files[1:] if _is_change(PurePath(file))]
    for key, value in {**command.defaults, **command.flags}.items():
        path = key.removeprefix("+").replace("::", "#").split("#")
        if path[0] not in (*NOT_OF_THE_RECIPE, *ELSEWHERE_TOLD, *told) and not path[0].startswith("probe_"):
            parts.append(f"{path[-1]}_{_short(value)}")
    text = "".join(f"-{part}" for part in parts)
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _is_change(file: PurePath) -> bool:
    """Overlays of `data/` are told by the name of the data set, those of `probe/` change no training."""
    return not ELSEWHERE.match(file.stem) and file.parent.name not in ("data", "probe")


def _short(value: Any) -> str:
    text = PurePath(value).stem if isinstance(value, str) and "/" in value else str(value)
    return re.sub(r"[^\w.+-]+", "_", text).strip("_")


def _leading_to(config: Mapping[str, Any], text: str) -> Iterator[str]:
    """Top-level keys that an expression refers to, and those that these refer to in turn."""
    found: set[str] = set()
    waiting = [text]
    while waiting:
        for name in re.findall(r"[@%](\w+)", waiting.pop()):
            if name in config and name not in found:
                found.add(name)
                yield name
                waiting.append(str(config[name]))
