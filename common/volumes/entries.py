"""One prepared volume on the disk: a folder that is there whole or not at all."""

import io
import json
import os
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..files.errors import UnreadableImage
from ..files.journal import Line
from ..files.stamps import stamp
from .doubts import collect_doubts
from .preparation import Preparation
from .task import Task

HOUNSFIELD, ORGANS, FACTS = "hounsfield.npy", "organs.npy", "facts.json"
PART = ".part"  # of a name while the folder is being written


def prepare_entry(task: Task, preparation: Preparation, directory: str) -> Line:
    """Prepare a volume and write its folder, unless the same content has been prepared before.

    Args:
        task: names the files.
        preparation: what to do.
        directory: of the cache.

    Returns:
        The line of the cache's index: stamps, and either key and facts, or reason and remedy.

    Raises:
        OSError: the cache cannot be written; it names the file.
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
        facts = intact_facts(place)
        if facts is None:
            _write(preparation, place, task)
            facts = json.loads((place / FACTS).read_text())
    except UnreadableImage as error:
        return line | {"path": error.path, "reason": error.reason, "remedy": error.remedy}
    return line | facts | {"prepared": stamps_of(place)}


def intact_facts(place: Path) -> Line | None:
    """Return what is known of a prepared volume; None where its files are not what was written.

    Args:
        place: its folder.
    """
    try:
        facts = json.loads((place / FACTS).read_text())
        whole = all(_checksum((place / name).read_bytes()) == told for name, told in facts["checksums"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return facts if whole else None


def stamps_of(place: Path) -> list[list[int]]:
    """Return size and time of a prepared volume's arrays."""
    return [list(stamp(place / name).values()) for name in (HOUNSFIELD, ORGANS)]


def _write(preparation: Preparation, place: Path, task: Task) -> None:
    with collect_doubts() as doubts:
        prepared = preparation.prepare(task)
    draft = place.with_name(f"{place.name}.{os.getpid()}{PART}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    arrays = {HOUNSFIELD: prepared.hounsfield} | ({} if prepared.organs is None else {ORGANS: prepared.organs})
    facts: Line = {"shape": prepared.grid.shape, "spacing": prepared.grid.spacing, "origin": prepared.grid.origin}
    facts |= {"organs": prepared.organs is not None, "source": task.place.name}
    facts["checksums"] = {name: write_array(draft / name, values) for name, values in arrays.items()}
    if prepared.refused is not None:
        facts["refused_organs"] = {"reason": prepared.refused.reason, "remedy": prepared.refused.remedy}
    if doubts:
        facts["doubts"] = [one.text for one in doubts]
    _durable(draft / FACTS, [json.dumps(facts, indent=1).encode()])
    try:
        draft.rename(place)
    except OSError:
        if intact_facts(place) is not None:  # another worker had a copy of the same file in hand
            shutil.rmtree(draft)
            return
        damaged = draft.with_name(f"{draft.name}.damaged{PART}")
        place.rename(damaged)
        draft.rename(place)
        shutil.rmtree(damaged)


def write_array(path: Path, array: np.ndarray) -> int:
    """Write what `np.save` writes, and return its checksum.

    On a full disk that one raises an error without `errno`, which nobody can tell.
    """
    head, layout = io.BytesIO(), np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(layout))
    return _durable(path, [head.getvalue(), layout.reshape(-1).view(np.uint8).data])


def _durable(path: Path, parts: Sequence[Any]) -> int:
    """Write a file down to the disk and return its checksum."""
    try:
        with path.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    return _checksum(*parts)


def _checksum(*parts: Any) -> int:
    number = 0
    for part in parts:
        number = zlib.crc32(part, number)
    return number
