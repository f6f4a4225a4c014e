"""Pictures of 8 bits through Pillow; formats with deeper or rarer relatives call it for their plain ones."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ...files.errors import Unusable
from .depth import check_area, check_single, scale_by_bits
from .labels import Labels, labels_of
from .orientation import stated, turned, turned_size, valid
from .sniff import PILLOW

# Never all of Pillow's plug-ins: some of them start other programs.
FORMATS = tuple(sorted(PILLOW))
ORIENTATION = 0x0112


def read(payload: bytes, path: Path) -> np.ndarray:
    """Decode to uint8 grey or RGB; an alpha channel is dropped, a palette resolved."""
    return read_image(single(payload))


def read_image(image: Image.Image, inverted: bool = False) -> np.ndarray:
    """Do as `read` does with an opened image.

    Args:
        image: one frame.
        inverted: high values are dark, and Pillow has not seen to it.
    """
    orientation = orientation_of(image)
    picture = _to_array(image, inverted)
    return picture if orientation == 1 else turned(picture, orientation)


def labels(payload: bytes, path: Path, lossy: bool = False) -> Labels:
    """Return the stored values."""
    return labels_of_image(single(payload), lossy=lossy)


def labels_of_image(image: Image.Image, bits: int = 8, lossy: bool = False) -> Labels:
    """Return the stored values of an opened image: of a palette the indices, and its greys where all its colours are.

    Args:
        image: one frame.
        bits: of a grey value in the file, which Pillow brings to 8.
        lossy: see `Labels`.
    """
    orientation = orientation_of(image)
    readings = tuple(turned(values, orientation) for values in _readings(image, bits))
    if len(readings) == 1:
        return labels_of(readings[0], lossy)
    return Labels(readings, lossy)


def size(payload: bytes, path: Path) -> tuple[int, int]:
    """Return (H, W) as `read` would give it."""
    image = open_image(payload)
    return turned_size(image.height, image.width, orientation_of(image))


def single(payload: bytes) -> Image.Image:
    """Open a picture and refuse more than one frame."""
    image = open_image(payload)
    check_single(getattr(image, "n_frames", 1))
    return image


def open_image(payload: bytes) -> Image.Image:
    """Read a picture's header, and refuse one that is damaged or asks for more than there is memory."""
    image = opened(payload, FORMATS)
    if image is None:
        remedy = "Get the file again: a download was cut off or a copy went wrong"
        raise Unusable("its header is damaged or cut off", remedy)
    return image


def opened(payload: bytes, formats: tuple[str, ...]) -> Image.Image | None:
    """Return Pillow's image with its header read; None where it is of none of the formats.

    Args:
        payload: the whole file, or at least its header.
        formats: Pillow's names.

    Raises:
        Unusable: a header that asks for more than there is memory.
    """
    try:
        image = Image.open(io.BytesIO(payload), formats=formats)
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError as error:  # at twice our bound; it does not name the sides
        raise Unusable(f"its header declares too much ({error})", "The header is damaged: get the file again") from None
    check_area(image.height, image.width)
    return image


def orientation_of(image: Image.Image) -> int:
    """Return what is left to turn: Pillow turns TIFF by itself, and says there that nothing is left."""
    if image.format in ("JPEG", "MPO"):
        return valid(image.getexif().get(ORIENTATION, 1))
    if image.format == "PNG" and "exif" in image.info:
        return stated(image.info["exif"])
    return 1


def _readings(image: Image.Image, bits: int) -> tuple[np.ndarray, ...]:
    mode = image.mode
    if mode == "P":
        indices = np.asarray(image)
        palette = np.asarray(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        grey = (palette == palette[:, :1]).all()
        return (indices, palette[:, 0][np.minimum(indices, len(palette) - 1)]) if grey else (indices,)
    if mode == "1":
        stored = np.asarray(image).astype(np.uint8)
        return stored, stored * np.uint8(255)
    if mode == "L" and bits < 8:
        brightness = np.asarray(image)
        return brightness // np.uint8(255 // (2**bits - 1)), brightness
    if mode.startswith("I") or mode in ("F", "LA", "RGBA"):
        return (np.asarray(image),)
    return (_to_array(image, False),)


def _to_array(image: Image.Image, inverted: bool) -> np.ndarray:
    mode = image.mode
    if mode in ("L", "RGB"):
        return np.asarray(image)
    if mode.startswith("I") or mode == "F":
        return scale_by_bits(np.asarray(image), inverted)
    if mode in ("1", "LA", "La"):
        return np.asarray((image.convert("LA") if mode == "La" else image).convert("L"))
    if mode in ("P", "PA", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"):
        colour = image.convert("RGBA") if mode in ("P", "PA", "RGBa") else image
        return np.asarray(colour.convert("RGB"))
    raise Unusable(f"its colour space is {mode}", "Save it as 8- or 16-bit grey, or as RGB")
