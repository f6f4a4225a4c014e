"""PNG, JPEG, TIFF, GIF, BMP and JPEG 2000 through Pillow; rare TIFF layouts through tifffile."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from .depth import Unusable, check_area, check_single, scale_by_bits
from .sniff import RASTER

# Never all of Pillow's plug-ins: some of them start other programs.
FORMATS = tuple(sorted(set(RASTER.values())))
ORIENTATION, PHOTOMETRIC, WHITE_IS_ZERO = 0x0112, 262, 0
TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(payload: bytes, path: Path) -> np.ndarray:
    """Decode to uint8 grey or RGB; an alpha channel is dropped, a palette resolved."""
    try:
        image = _single(payload)
    except UnidentifiedImageError:
        if payload[:2] not in (b"II", b"MM"):
            remedy = "Get the file again: a download was cut off or a copy went wrong"
            raise Unusable("its header is damaged or cut off", remedy) from None
        return _rare_tiff(payload)
    inverted = image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO  # type: ignore[attr-defined]
    turn = TRANSPOSES.get(_orientation(image))
    return _to_array(image.transpose(turn) if turn is not None else image, inverted)


def labels(payload: bytes, path: Path) -> np.ndarray:
    """Return the stored values; a palette that holds no greys gives its indices."""
    image = _single(payload)
    if image.mode == "P":
        colour = np.asarray(image.convert("RGB"))
        return colour if (colour == colour[..., :1]).all() else np.asarray(image)
    return np.asarray(image) if image.mode.startswith("I") or image.mode == "F" else _to_array(image, False)


def size(payload: bytes, path: Path) -> tuple[int, int]:
    """Return (H, W) as `read` would give it."""
    image = _open(payload)
    width, height = image.size
    return (width, height) if _orientation(image) >= 5 else (height, width)


def _single(payload: bytes) -> Image.Image:
    image = _open(payload)
    check_single(getattr(image, "n_frames", 1))
    return image


def _open(payload: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(payload), formats=FORMATS)
    check_area(image.height, image.width)
    return image


def _orientation(image: Image.Image) -> int:
    # Only cameras (fundus photographs) turn pictures by a tag, and they write JPEG.
    return int(image.getexif().get(ORIENTATION, 1)) if image.format in ("JPEG", "MPO") else 1


def _to_array(image: Image.Image, inverted: bool) -> np.ndarray:
    mode = image.mode
    if mode in ("L", "RGB"):
        return np.asarray(image)
    if mode.startswith("I") or mode == "F":
        grey = scale_by_bits(np.asarray(image))
        return 255 - grey if inverted else grey
    if mode in ("1", "LA", "La"):
        return np.asarray((image.convert("LA") if mode == "La" else image).convert("L"))
    if mode in ("P", "PA", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"):
        colour = image.convert("RGBA") if mode in ("P", "PA", "RGBa") else image
        return np.asarray(colour.convert("RGB"))
    raise Unusable(f"its colour space is {mode}", "Save it as 8- or 16-bit grey, or as RGB")


def _rare_tiff(payload: bytes) -> np.ndarray:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(payload)) as file:
        check_single(len(file.pages))
        page = file.pages[0].aspage()
        check_area(page.imagelength, page.imagewidth)
        values = page.asarray()
        inverted = page.photometric == WHITE_IS_ZERO
        if page.planarconfig == 2 and values.ndim == 3:
            values = np.moveaxis(values, 0, -1)
    if values.ndim == 3 and values.shape[2] in (1, 2):
        values = values[..., 0]
    if values.ndim == 3 and page.photometric == 2:
        values = values[..., :3]
    elif values.ndim != 2:
        raise Unusable(f"its pixels have the shape {values.shape}", "Save it as 8- or 16-bit grey, or as RGB")
    picture = values if values.dtype == np.uint8 else scale_by_bits(values)
    return 255 - picture if inverted else picture
