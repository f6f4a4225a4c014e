"""TIFF: plain ones through Pillow, deep colours and rare layouts through tifffile."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ImageOps

from ...files.errors import Unusable
from . import raster
from .depth import check_area, check_single, notice, scale_by_bits
from .labels import Labels, labels_of
from .orientation import turned, turned_size, valid

BITS, PHOTOMETRIC, SAMPLES, ORIENTATION = 258, 262, 277, 274
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
PREMULTIPLIED = 1  # kind of an extra sample: alpha by which the colours are multiplied
LOSSY = {6, 7, 33003, 33004, 33005, 34712, 34887, 34892, 50001, 50002, 52546}  # JPEG and its relatives
COMPRESSION = 259
FAX = {2, 3, 4}


def read(payload: bytes, path: Path) -> np.ndarray:
    """Decode to uint8 grey or RGB; an alpha channel is dropped, a palette resolved."""
    image = _plain(payload)
    if image is not None:
        return raster.read_image(image, image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO)
    values, page = _values(payload)
    if values.ndim == 3:
        values = _without_alpha(values, PREMULTIPLIED in page.extrasamples)
    return scale_by_bits(values, page.photometric == WHITE_IS_ZERO)


def labels(payload: bytes, path: Path) -> Labels:
    """Return the stored values, also where the file says that 0 is shown white; of a fax, the bits as they are shown.

    Programs that keep arrays write labels as they are and call them white-is-zero (tifffile does for booleans); those
    that draw turn black and white into the bits of a fax. Where the file could be meant either way, it is said.
    """
    image = _plain(payload)
    if image is not None:
        tags = image.tag_v2
        bits, lossy = tags.get(BITS, (1,))[0], tags.get(COMPRESSION) in LOSSY
        if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
            image = _white_is_zero(image, tags.get(COMPRESSION) in FAX, lossy)
        return raster.labels_of_image(image, bits, lossy)
    values, page = _values(payload)
    lossy = int(page.compression) in LOSSY
    if page.photometric == WHITE_IS_ZERO and values.ndim == 2:
        _say_if_doubtful(int(values.max()), 2**page.bitspersample - 1, lossy, "stored")
    return labels_of(values, lossy)


def size(payload: bytes, path: Path) -> tuple[int, int]:
    """Return (H, W) as `read` would give it."""
    image = _plain(payload, frames=False)
    if image is not None:
        return image.height, image.width
    with _opened(payload) as file:
        page = file.pages[0].aspage()
        return turned_size(page.imagelength, page.imagewidth, _orientation(page))


def _plain(payload: bytes, frames: bool = True) -> Any:
    """Return Pillow's image, turned by Pillow; None where its mode would lose bits or it does not know the layout."""
    image = raster.opened(payload, ("TIFF",))
    if image is None:
        return None
    if frames:
        check_single(getattr(image, "n_frames", 1))
    tags = image.tag_v2  # type: ignore[attr-defined]
    deep = max(tags.get(BITS, (1,))) > 8 and tags.get(SAMPLES, 1) > 1
    return None if deep and tags.get(PHOTOMETRIC) in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB) else image


def _white_is_zero(image: Any, fax: bool, lossy: bool) -> Any:
    """Undo what Pillow does to a picture of up to 8 bits whose 0 is shown white, but not to a fax."""
    if image.mode in ("1", "L") and not fax:
        image = ImageOps.invert(image)
    white = 255 if image.mode in ("1", "L") else (1 << 16) - 1
    _say_if_doubtful(image.getextrema()[1], white, lossy, "shown" if fax else "stored")
    return image


def _say_if_doubtful(largest: float, white: int, lossy: bool, taken: str) -> None:
    """Give notice where the labels make sense in both ways: only then has the other one a background of 0 as well."""
    if largest in (0, white) or lossy:
        other = "stored" if taken == "shown" else "shown"
        notice(f"it says that 0 is shown white: the mask's values are taken as they are {taken}, not as {other}")


def _opened(payload: bytes) -> Any:
    import tifffile

    try:
        return tifffile.TiffFile(io.BytesIO(payload))
    except tifffile.TiffFileError as error:
        reason = f"its header is damaged or cut off ({error})"
        raise Unusable(reason, "Get the file again: a download was cut off or a copy went wrong") from None


def _values(payload: bytes) -> tuple[np.ndarray, Any]:
    with _opened(payload) as file:
        check_single(len(file.pages))
        page = file.pages[0].aspage()
        check_area(page.imagelength, page.imagewidth, page.samplesperpixel * max(1, page.bitspersample // 8))
        values = page.asarray()
        if page.planarconfig == 2 and values.ndim == 3:
            values = np.moveaxis(values, 0, -1)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    grey = values.ndim == 2 or (values.ndim == 3 and values.shape[2] == 2)
    if not grey and not (values.ndim == 3 and page.photometric == RGB and values.shape[2] >= 3):
        raise Unusable(f"its pixels have the shape {values.shape}", "Save it as 8- or 16-bit grey, or as RGB")
    return turned(values, _orientation(page)), page


def _without_alpha(values: np.ndarray, premultiplied: bool) -> np.ndarray:
    count = 1 if values.shape[2] == 2 else 3
    colours, alpha = values[..., :count], values[..., count : count + 1]
    if premultiplied and alpha.size and values.dtype.kind == "u":
        divided = colours.astype(np.float64) * np.iinfo(values.dtype).max / np.maximum(alpha, 1)
        colours = np.rint(np.minimum(divided, np.iinfo(values.dtype).max)).astype(values.dtype)
    return colours[..., 0] if count == 1 else colours


def _orientation(page: Any) -> int:
    tag = page.tags.get(ORIENTATION)
    return 1 if tag is None else valid(int(tag.value))
