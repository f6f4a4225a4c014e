"""The one place where a file becomes pixels, whatever its format, depth and photometry."""

import os
import warnings
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .errors import UnreadableImage
from .formats import format_of
from .formats.depth import Unusable

IGNORE = 255
HEAD_BYTES = 1 << 16  # hold most headers, so that the sizes of many large files are known soon
MODULES = {"PNG": "png", "dicom": "dicom", "nifti": "nifti", "mha": "mha", "jsrt": "jsrt"}
KINDS = "PNG, JPEG, TIFF, GIF, BMP, JPEG 2000, DICOM, NIfTI, MHA and JSRT raw (.IMG, 8388608 bytes)"


def read_image(path: str | os.PathLike[str], channels: int = 1) -> np.ndarray:
    """Decode one picture to 8 bits.

    The content decides the format, not the name. DICOM is shown through its window, MONOCHROME1 is
    inverted, 12 and 16 bits are scaled by their significant bits, alpha is dropped, a camera's
    orientation applied.

    Args:
        path: PNG, JPEG, TIFF, GIF, BMP, JPEG 2000, DICOM, NIfTI, MHA or JSRT raw file.
        channels: 1 (grey; colour is reduced by luma) or 3 (RGB; grey is repeated).

    Returns:
        uint8 array (channels, H, W).

    Raises:
        UnreadableImage: not a picture, damaged, more than one frame, or the same value everywhere.
        ValueError: channels is neither 1 nor 3.
    """
    return decode(load_bytes(path), path, channels)


def decode(payload: bytes, path: str | os.PathLike[str], channels: int = 1) -> np.ndarray:
    """Do as `read_image` does for a file that is in memory already.

    Args:
        payload: all bytes of the file.
        path: its name, for messages and for formats that keep their data in a second file.
        channels: 1 or 3.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels is {channels}; it must be 1 (grey) or 3 (colour)")
    picture = _with_channels(_guarded(payload, Path(path), "read"), channels)
    if picture.min() == picture.max():
        reason = f"every pixel has the value {int(picture.flat[0])} of 255"
        raise UnreadableImage(path, reason, "It shows nothing: get the file again or leave it out")
    return picture


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return (H, W) from the file's header, without decoding its pixels.

    Raises:
        UnreadableImage: no such file, or not a known format.
    """
    try:
        return _guarded(load_bytes(path, HEAD_BYTES), Path(path), "size")
    except UnreadableImage:  # a header that is longer, or at the end; what is really wrong, the whole file says
        return _guarded(load_bytes(path), Path(path), "size")


def read_mask(
    path: str | os.PathLike[str],
    foreground: int | Collection[int] | None = None,
    ignore: int | Collection[int] | None = None,
) -> np.ndarray:
    """Read a mask file and name its values.

    Args:
        path: an image file whose stored values are labels; black and white ones hold 0 and 255.
        foreground: value or values of the structure; None takes the one value that is not 0.
        ignore: value or values that count neither way.

    Returns:
        uint8 array (H, W): 0 background, 1 structure, 255 ignore.

    Raises:
        UnreadableImage: not a picture, or more values than `foreground` and `ignore` explain.
    """
    # A mask may be empty or full: it does not pass the check for pictures that show nothing.
    values = _guarded(load_bytes(path), Path(path), "labels")
    if values.ndim == 3:
        if not (np.array_equal(values[..., 0], values[..., 1]) and np.array_equal(values[..., 0], values[..., 2])):
            raise UnreadableImage(path, "a mask in colours", "Save it as one channel with one value per structure")
        values = values[..., 0]
    ignored = _values(ignore)
    if foreground is None:
        present = [int(value) for value in np.unique(values) if value != 0 and value not in ignored]
        if len(present) > 1:
            raise UnreadableImage(
                path,
                f"the mask has the values {present[:8]} besides 0",
                "Say which of them is the structure (foreground) and which to leave out (ignore)",
            )
        foreground = present
    mask = np.isin(values, _values(foreground)).astype(np.uint8)
    mask[np.isin(values, ignored)] = IGNORE
    return mask


def load_bytes(path: str | os.PathLike[str], count: int = -1) -> bytes:
    """Read a file, or its first `count` bytes, and say what is wrong where it cannot be read or is empty."""
    try:
        with Path(path).open("rb") as file:
            payload = file.read(count)
    except FileNotFoundError:
        raise UnreadableImage(path, "no such file", "Check the data folder and the list that names it") from None
    except OSError as error:
        remedy = "Check the file's type and permissions"
        raise UnreadableImage(path, f"cannot be opened ({error.strerror})", remedy) from None
    if not payload:
        raise UnreadableImage(path, "the file is empty (0 bytes)", "Get the file again: a download was cut off")
    return payload


def _with_channels(picture: np.ndarray, channels: int) -> np.ndarray:
    if channels == 3:
        colour = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
        return np.ascontiguousarray(np.moveaxis(colour, 2, 0))
    if picture.ndim == 3:
        picture = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).convert("L"))
    return np.ascontiguousarray(picture)[None]


def _values(value: int | Collection[int] | None) -> list[int]:
    if value is None:
        return []
    return [value] if isinstance(value, int) else list(value)


def _guarded(payload: bytes, path: Path, function: str) -> Any:
    """Call a format's function and turn whatever it raises into one kind of error."""
    kind = format_of(payload, path)
    if kind is None:
        raise UnreadableImage(path, "not an image of a known type", f"Known are {KINDS}")
    module = import_module(f".formats.{MODULES.get(kind, 'raster')}", __package__)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(module, function)(payload, path)
    except Unusable as error:
        raise UnreadableImage(path, str(error), error.remedy) from error
    except Exception as error:
        reason = f"damaged or unsupported {kind.upper()} ({type(error).__name__}: {' '.join(str(error).split())[:160]})"
        raise UnreadableImage(path, reason, "Get the file again, or save it as 8- or 16-bit PNG") from error
