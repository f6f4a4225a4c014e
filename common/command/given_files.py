"""Files that a command's recipe names and that are not there, refused before anything is read."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .given import Command, current_command, merged_config
from .live_keys import live_references
from .nearest_keys import split
from .places import lookup, texts
from .run_files import is_run_config

READ = re.compile(r"(?!output_)\w+_file$|ckpt_path$")
"""Keys of files that a recipe reads: an encoder's, an expert's, weights, a split."""
STAGES = "stages"
"""Whose values count when their stage begins: an earlier one may have written the file by then."""
MADE_BY = {"split_file": "python scripts/split_patients.py makes it"}


def refuse_missing_files() -> None:
    """End the command when a file that it reads does not exist: its data set may take minutes to read."""
    command, config = current_command(), merged_config()
    missing = list(missing_files(command, config)) if command is not None and config is not None else []
    if missing:
        raise SystemExit("\n".join(["Nothing was run, since a file is not there:", *missing]))


def missing_files(command: Command, config: Mapping[str, Any]) -> Iterator[str]:
    """A line for each key whose value names no file, with the config file that says so.

    What is an expression may become a file. An argument of a component may be a file that it writes. What a run's own
    config names was read when it was trained: its evaluation takes the weights that the run has kept.

    Args:
        command: its files and flags tell who names the file.
        config: merged, of the command or of its stage.
    """
    live: set[str] | None = None
    for path, value in texts(config):
        if not READ.match(path[-1]) or path[0] == STAGES or not value or Path(value).exists():
            continue
        place = _place(command, path, value)
        if place is None or any("_target_" in (lookup(config, path[:end]) or ()) for end in range(1, len(path))):
            continue
        live = set(live_references(config)) if live is None else live
        if not any("#".join(path[:end]) in live for end in range(1, len(path) + 1)):
            continue
        folder = next(parent for parent in Path(value).absolute().parents if parent.is_dir())
        line = f"  {place}: there is no {value}; the path exists up to {folder}"
        yield line + (f". {MADE_BY[path[-1]]}" if path[-1] in MADE_BY else "")


def _place(command: Command, path: list[str], value: str) -> str | None:
    """Where a command says a value, as a person would look for it; None where only a run's config does."""
    from monai.bundle import ConfigParser

    if _says(command.flags, path, value):
        return f"--{'#'.join(path)}"
    for file in reversed(command.files):
        if _says(ConfigParser.load_config_file(file), path, value):
            return None if is_run_config(file) else f"{file}: {'#'.join(path)}"
    return "#".join(path)  # a stage, or the file of default arguments


def _says(layer: Mapping[str, Any], path: list[str], value: str) -> bool:
    """Whether a file or the flags have this value at this path, in whatever spelling of ids."""
    said = (("#".join(keys).removeprefix("+"), text) for keys, text in texts(layer))
    return any(split(key) == path and text == value for key, text in said)
