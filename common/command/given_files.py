"""Files that a command names and that are not there, refused before anything is read."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .given import current_command
from .places import is_plain

READ = re.compile(r"(?!output_)\w+_file$|ckpt_path$")
"""Keys of files that a recipe reads: an encoder's, an expert's, weights."""


def refuse_missing_files() -> None:
    """End the command when a file of its command line does not exist: its data set may take minutes to read."""
    command = current_command()
    missing = list(missing_files(command.flags)) if command is not None else []
    if missing:
        raise SystemExit("\n".join(["Nothing was run, since a file is not there:", *missing]))


def missing_files(flags: Mapping[str, Any]) -> Iterator[str]:
    """A line for each override that names no file.

    Args:
        flags: values by key. What is an expression may become a file.
    """
    for key, value in flags.items():
        if READ.match(key) and isinstance(value, str) and value and is_plain(value) and not Path(value).exists():
            folder = next(parent for parent in Path(value).absolute().parents if parent.is_dir())
            yield f"  --{key}: there is no {value}; the path exists up to {folder}"
