"""The part of building a store that runs in worker processes."""

import os
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from ...files.errors import UnreadableImage
from ...files.journal import Line
from ...files.quarantine import CRASHED
from ..decode import decode, load_bytes
from ..formats.pairs import files_of, second_files
from .layout import BESIDE, CHECKSUM
from .sources import content_hash, described


def store_image(task: tuple[int, str], file: str, offset: int, size: int, channels: int) -> Line:
    """Decode a file and write it into its slot of the array file.

    Args:
        task: slot and path.
        file: the array file, with its space reserved.
        offset: bytes before its first slot.
        size: height and width of a slot.
        channels: 1 or 3.

    Returns:
        Its line for the table, with "reason" and "remedy" in place of the facts where it failed.
    """
    slot, path = task
    # Stamped before it is read: a file that changes meanwhile is then noticed when the store is opened.
    line: Line = {"path": path, **described(path, ())}
    try:
        payload = load_bytes(path)
        beside = second_files(payload, Path(path))
        line |= {BESIDE: described(path, beside)[BESIDE], "sha256": content_hash(payload, beside)}
        picture = decode(payload, path, channels)
    except UnreadableImage as error:
        return line | {"reason": error.reason, "remedy": error.remedy}
    pixels = np.ascontiguousarray(resize(picture, size)).reshape(-1).data
    _write(file, offset + slot * len(pixels), pixels)
    height, width = picture.shape[1:]
    return line | {"height": height, "width": width, CHECKSUM: zlib.crc32(pixels)}


def crashed(task: tuple[int, str]) -> Line:
    """The line of a file that kills its reader."""
    path = task[1]
    return {"path": path, **described(path, files_of(Path(path))[1:]), **CRASHED}


def _write(file: str, position: int, content: memoryview) -> None:
    # Not through a mapping: on a full disk that would kill the process instead of raising.
    handle = os.open(file, os.O_WRONLY)
    try:
        while content:
            written = os.pwrite(handle, content, position)
            content, position = content[written:], position + written
    finally:
        os.close(handle)


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
