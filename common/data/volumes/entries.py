"""One prepared volume on the disk: a folder that is there whole or not at all."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import UnreadableImage
from .preparation import Preparation, Prepared
from .task import Task

HOUNSFIELD, ORGANS, FACTS = "hounsfield.npy", "organs.npy", "facts.json"
PART = ".part"  # of a name while the folder is being written

Line = dict[str, Any]


def prepare_entry(task: Task, preparation: Preparation, directory: str) -> Line:
    """Prepare a volume and write its folder, unless the same content has been prepared before.

    Args:
        task: names the files.
        preparation: what to do.
        directory: of the cache.

    Returns:
        The line of the cache's index: stamps, and either key and facts, or reason and remedy.
    """
    # Stamped before it is read: a file that changes meanwhile is then noticed when the cache is opened.
    line: Line = {"stamps": task.stamps()}
    try:
        line["key"] = task.content()
    except OSError as error:
        reason = f"cannot be opened ({error.strerror}: {error.filename})"
        return line | {"path": task.image, "reason": reason, "remedy": "Check the data folder and its permissions"}
    place = Path(directory) / line["key"]
    try:
        if not (place / FACTS).is_file():
            _write(preparation.prepare(task), place, task)
    except UnreadableImage as error:
        return line | {"path": error.path, "reason": error.reason, "remedy": error.remedy}
    return line | json.loads((place / FACTS).read_text())


def _write(prepared: Prepared, place: Path, task: Task) -> None:
    draft = place.with_name(f"{place.name}.{os.getpid()}{PART}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    write_array(draft / HOUNSFIELD, prepared.hounsfield)
    organs = prepared.organs
    if organs is not None:
        write_array(draft / ORGANS, organs)
    facts: Line = {"shape": prepared.grid.shape, "spacing": prepared.grid.spacing, "origin": prepared.grid.origin}
    facts |= {"organs": organs is not None, "source": task.place.name}
    if prepared.refused is not None:
        facts["refused_organs"] = {"reason": prepared.refused.reason, "remedy": prepared.refused.remedy}
    text = json.dumps(facts, indent=1)
    _durable(draft / FACTS, lambda file: file.write(text.encode()))
    try:
        draft.rename(place)
    except OSError:
        # Another worker had a copy of the same file in hand.
        if not (place / FACTS).is_file():
            raise
        shutil.rmtree(draft)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write what `np.save` writes; on a full disk that one raises an error without `errno`, which nobody can tell."""
    layout = np.ascontiguousarray(array)

    def write(file: BinaryIO) -> None:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(layout))
        file.write(layout.data)

    _durable(path, write)


def _durable(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    with path.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
