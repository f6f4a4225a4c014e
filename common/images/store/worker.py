"""The part of building a store that runs in worker processes."""

import os
import threading
import time
import zlib
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...files.errors import UnreadableImage
from ..decode import decode, load_bytes
from ..formats.pairs import second_files
from .layout import BESIDE, CHECKSUM
from .sources import content_hash, described

IDLE = -1
_in_hand: Any = None  # this worker's cell of the shared array: the slot it is decoding
_cell = 0


def start_worker(in_hand: Any, taken: "Synchronized[int]", parent: int) -> None:
    """Give the worker a cell to say what it is decoding, and end it when its parent is gone.

    A parent killed by SIGKILL cannot end its workers, and they would keep the store's lock for ever.
    """
    global _in_hand, _cell
    with taken.get_lock():
        _cell = taken.value
        taken.value += 1
    _in_hand = in_hand
    end_with(parent)


def end_with(parent: int) -> None:
    """End this process when another one, its parent, is gone.

    Args:
        parent: number of the process.
    """
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.3)
    os._exit(1)


def store_chunk(
    file: str, offset: int, first_slot: int, paths: list[str], size: int, channels: int
) -> list[dict[str, Any]]:
    """Decode files and write them, side by side, into the slots of the array file.

    Args:
        file: the array file, with its space reserved.
        offset: bytes before its first slot.
        first_slot: slot of the first path; the others follow.
        paths: files to decode.
        size: height and width of a slot.
        channels: 1 or 3.

    Returns:
        One line for the table per path, with "reason" and "remedy" in place of the facts where it failed.
    """
    block = np.zeros((len(paths), channels, size, size), dtype=np.uint8)
    lines = []
    for number, path in enumerate(paths):
        if _in_hand is not None:
            _in_hand[_cell] = first_slot + number
        lines.append(_store_one(path, block[number]))
    if _in_hand is not None:
        _in_hand[_cell] = IDLE
    # Not through a mapping: on a full disk that would kill the process instead of raising.
    handle = os.open(file, os.O_WRONLY)
    try:
        view = memoryview(block).cast("B")  # type: ignore[arg-type]
        position = offset + first_slot * block[0].nbytes
        while view:
            written = os.pwrite(handle, view, position)
            view, position = view[written:], position + written
    finally:
        os.close(handle)
    return lines


def _store_one(path: str, slot: np.ndarray) -> dict[str, Any]:
    # Stamped before it is read: a file that changes meanwhile is then noticed when the store is opened.
    line: dict[str, Any] = {"path": path, **described(path, ())}
    try:
        payload = load_bytes(path)
        beside = second_files(payload, Path(path))
        line |= {BESIDE: described(path, beside)[BESIDE], "sha256": content_hash(payload, beside)}
        picture = decode(payload, path, len(slot))
        slot[:] = resize(picture, slot.shape[-1])
    except UnreadableImage as error:
        return line | {"reason": error.reason, "remedy": error.remedy}
    height, width = picture.shape[1:]
    return line | {"height": height, "width": width, CHECKSUM: zlib.crc32(slot.data)}


def resize(picture: np.ndarray, size: int) -> np.ndarray:
    """Resample to (C, size, size), antialiased; the aspect ratio is not kept.

    Shrinking by 4 or more starts with an exact box average, which costs little and keeps at least twice
    the wanted size for the triangle filter that follows.

    Args:
        picture: uint8 (C, H, W), C 1 or 3.
        size: height and width wanted, 1 or more.
    """
    if picture.shape[1:] == (size, size):
        return picture
    layout = picture[0] if len(picture) == 1 else np.ascontiguousarray(np.moveaxis(picture, 0, 2))
    image = Image.fromarray(layout).resize((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0)
    resized = np.asarray(image)
    return resized[None] if len(picture) == 1 else np.moveaxis(resized, 2, 0)
