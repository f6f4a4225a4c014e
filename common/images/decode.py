"""The one place where a file becomes pixels, whatever its format, depth and photometry."""

import os
import warnings
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..files.errors import DataNotice, UnreadableImage, Unusable
from ..records import IGNORE
from .formats import analyze, dicom, format_of, jpeg, jpeg2000, jpegxl, jsrt, mha, nifti, png, raster, tiff
from .formats.jpeg import header_of
from .masks import mask_of

__all__ = ["IGNORE", "decode", "image_size", "load_bytes", "read_image", "read_mask"]
HEAD_BYTES = 1 << 16  # hold most headers, so that the sizes of many large files are known soon
# Modules and not their names: MONAI Label forgets a bundle's modules between requests.
MODULES = {
    **{"PNG": png, "JPEG": jpeg, "TIFF": tiff, "GIF": raster, "BMP": raster},
    **{"JPEG2000": jpeg2000, "JPEGXL": jpegxl},
    **{"dicom": dicom, "nifti": nifti, "analyze": analyze, "mha": mha, "jsrt": jsrt},
}
KINDS = (
    "PNG, JPEG (also lossless, 12 bits, JPEG-LS, JPEG 2000, JPEG XL), TIFF, GIF, BMP, DICOM, NIfTI, Analyze, "
    "MHA and JSRT raw (.IMG, 8388608 bytes of 12 bits)"
)


def read_image(path: str | os.PathLike[str], channels: int = 1) -> np.ndarray:
    """Decode one picture to 8 bits.

    The content decides the format, not the name. DICOM is shown through its VOI LUT or window, MONOCHROME1 is
    inverted, 12 and 16 bits are scaled by their significant bits (grey and colour alike), alpha is dropped, a
    camera's orientation applied. Padding and NaN are black. What a file leaves open is said in a `DataNotice`.

    Args:
        path: file of a known kind: PNG, JPEG, JPEG 2000, JPEG XL, TIFF, GIF, BMP, DICOM, NIfTI, MHA, JSRT raw.
        channels: 1 (grey; colour is reduced by luma) or 3 (RGB; grey is repeated).

    Returns:
        uint8 array (channels, H, W).

    Raises:
        UnreadableImage: not a picture, damaged, more than one frame, or the same value everywhere.
        ValueError: channels is neither 1 nor 3.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.linear_gradient("L").save(Path(folder) / "one.png")
        ...     image = read_image(Path(folder) / "one.png")
        >>> image.shape, image[0, 0, 0], image[0, -1, 0]
        ((1, 256, 256), np.uint8(0), np.uint8(255))
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
    picture = _with_channels(_guarded(payload, Path(path), partial(_call, "read")), channels)
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
        return _guarded(load_bytes(path, HEAD_BYTES), Path(path), partial(_call, "size"))
    except UnreadableImage:  # a header that is longer, or at the end; what is really wrong, the whole file says
        return _guarded(load_bytes(path), Path(path), partial(_call, "size"))


def camera_orientation(path: str | os.PathLike[str]) -> int:
    """Return Exif's orientation of a JPEG file, 1 to 8; 1, as stored, where it states none or is no JPEG.

    Raises:
        UnreadableImage: no such file.
    """
    payload = load_bytes(path, HEAD_BYTES)
    header = header_of(payload) if payload.startswith(b"\xff\xd8") else None
    return header.orientation if header else 1


def read_mask(
    path: str | os.PathLike[str],
    foreground: int | Collection[int] | None = None,
    ignore: int | Collection[int] | None = None,
) -> np.ndarray:
    """Read a mask file and name its values.

    Args:
        path: an image file whose stored values are labels. A palette gives its indices, or its greys where it has no
            colours; a bit of 1 is 1 or 255, as it is named here. Values that lossy compression moved count as the
            nearest one that is named. It is turned as its image is.
        foreground: value or values of the structure; None takes the one value that is not 0.
        ignore: value or values that count neither way.

    Returns:
        uint8 array (H, W): 0 background, 1 structure, 255 ignore.

    Raises:
        UnreadableImage: not a picture, or values that `foreground` and `ignore` do not explain. Where some are
            named and others not, the others are background, and a `DataNotice` lists them.
    """
    # A mask may be empty or full: it does not pass the check for pictures that show nothing.
    return _guarded(load_bytes(path), Path(path), lambda *file: mask_of(_call("labels", *file), foreground, ignore))


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


def _call(function: str, payload: bytes, path: Path, kind: str) -> Any:
    return getattr(MODULES[kind], function)(payload, path)


def _guarded(payload: bytes, path: Path, job: Callable[[bytes, Path, str], Any]) -> Any:
    """Do something with a file and turn whatever is raised into one kind of error, and notices into the file's."""
    kind = format_of(payload, path)
    if kind is None:
        raise UnreadableImage(path, "not an image of a known type", f"Known are {KINDS}")
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", DataNotice)
            result = job(payload, path, kind)
    except Unusable as error:
        raise UnreadableImage(path, str(error), error.remedy) from error
    except Exception as error:
        reason = f"damaged or unsupported {kind.upper()} ({type(error).__name__}: {' '.join(str(error).split())[:160]})"
        raise UnreadableImage(path, reason, "Get the file again, or save it as 8- or 16-bit PNG") from error
    for told in said:
        warnings.warn(f"{path}: {told.message}", DataNotice, stacklevel=4)
    return result
