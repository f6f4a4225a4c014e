"""The stored values of a DICOM picture: decompressed, in their place among the allocated bits, with their sign."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...files.errors import Unusable
from . import jpeg, jpeg2000, jpegxl
from .depth import check_area, check_single
from .dicom_high_bits import settled

JPEG = {f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81)}
JPEG_2000 = {f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 201, 202, 203)}
JPEG_XL = {f"1.2.840.10008.1.2.4.{number}" for number in (110, 111, 112)}
LOSSY = {f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 81, 91, 111, 112, 203)}
VIDEO = tuple(f"1.2.840.10008.1.2.4.10{number}" for number in range(10))


@dataclass(frozen=True)
class Pixels:
    """What a file stores.

    Args:
        values: (H, W), or (H, W, C) with C in RGB where it is 3.
        raw: the same before what lies around the stored bits was taken away.
        bits: that are stored of each value.
        lossy: compression has moved the values about, now or earlier.
    """

    values: np.ndarray
    raw: np.ndarray
    bits: int
    lossy: bool


def stored_values(dataset: Any) -> np.ndarray:
    """Decode the pixels of a pydicom dataset, with the sign bit where BitsStored says it is."""
    return decoded(dataset).values


def decoded(dataset: Any) -> Pixels:
    """Decode the pixels of a pydicom dataset.

    Raises:
        Unusable: no picture, several frames, or a compression that is not read here.
    """
    _check(dataset)
    _complete_meta(dataset)
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    raw, precision = _decompressed(dataset, syntax)
    container = 8 * raw.dtype.itemsize
    bits = int(dataset.get("BitsStored") or container)
    if raw.dtype.kind == "f" or not 1 < bits <= container:
        bits = container
    values = _significant(raw, dataset, bits, precision, exact=syntax not in LOSSY)
    return Pixels(values, raw, bits, syntax in LOSSY or dataset.get("LossyImageCompression") == "01")


def no_picture(dataset: Any) -> Unusable:
    """Say what an object without pixels is."""
    kind = getattr(dataset.get("SOPClassUID"), "name", "unknown class")
    return Unusable(f"it is a DICOM object without a picture ({kind})", "Leave it out; only images are read here")


def _significant(raw: np.ndarray, dataset: Any, bits: int, precision: int, exact: bool) -> np.ndarray:
    """Take away what lies around the stored bits (overlays of old files), and put the sign where it belongs.

    BitsStored end at HighBit, where the compressed samples are as wide as that. Lossy compression overshoots the
    largest value; to cut a bit off there would make black of white.
    """
    if raw.dtype.kind not in "iu":
        return raw
    container = 8 * raw.dtype.itemsize
    high = dataset.get("HighBit")
    end = bits if high is None or not bits <= int(high) + 1 <= precision else int(high) + 1
    signed = dataset.get("PixelRepresentation") == 1
    if signed and raw.dtype.kind == "u":
        raw = raw.view(f"i{raw.dtype.itemsize}")
    if end == bits and (bits == container or (not exact and not signed)):
        return raw
    if not exact and not signed:
        return raw >> (end - bits)
    values = (raw << (container - end)) >> (container - bits)
    return settled(raw, values, dataset, bits) if end == bits else values


def _decompressed(dataset: Any, syntax: str) -> tuple[np.ndarray, int]:
    """Return the samples and how many bits wide they are in the file."""
    from pydicom.pixels import pixel_array

    if syntax.startswith(VIDEO):
        raise Unusable("it is a video", "Only single pictures are read here: export the one to use")
    if syntax in JPEG_XL:
        return _jpeg_xl(dataset)
    raw, precision = False, 0
    if syntax in JPEG:
        frame = _frame(dataset)
        header = jpeg.header_of(frame)
        if header is not None:
            _check_frame(dataset, header.height, header.width)
            precision = header.precision
            if header.process != jpeg.JPEG_LS:
                return jpeg.decoded(frame, header, _declared(dataset)), precision
    if syntax in JPEG_2000:
        coded = jpeg2000.header_of(_frame(dataset))
        if coded is not None:
            _check_frame(dataset, coded.height, coded.width)
            # What the codestream has transformed comes back as RGB, whatever the photometric interpretation says.
            raw, precision = coded.colour_transform, coded.precision
    values = pixel_array(dataset, raw=raw, correct_unused_bits=False)
    return values, precision or 8 * values.dtype.itemsize


def _jpeg_xl(dataset: Any) -> tuple[np.ndarray, int]:
    import imagecodecs

    frame = _frame(dataset)
    _check_frame(dataset, *jpegxl.size_of(frame))
    values = imagecodecs.jpegxl_decode(frame)
    return values, 8 * values.dtype.itemsize


def _frame(dataset: Any) -> bytes:
    from pydicom.encaps import get_frame

    return get_frame(dataset.PixelData, 0, number_of_frames=1)


def _declared(dataset: Any) -> str:
    return jpeg.YCBCR if str(dataset.get("PhotometricInterpretation")).startswith("YBR") else jpeg.RGB


def _check_frame(dataset: Any, height: int, width: int) -> None:
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if (height, width) != (rows, columns):
        reason = f"it declares {rows} x {columns} pixels and its compressed picture {height} x {width}"
        raise Unusable(reason, "One of its headers is damaged: get the file again")


def _check(dataset: Any) -> None:
    pixels = any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
    if not pixels or "Rows" not in dataset or "Columns" not in dataset:
        raise no_picture(dataset)
    check_single(int(dataset.get("NumberOfFrames") or 1))
    channels = int(dataset.get("SamplesPerPixel") or 1)
    value_bytes = max(1, int(dataset.get("BitsAllocated") or 8) // 8)
    check_area(int(dataset.Rows), int(dataset.Columns), channels * value_bytes)


def _complete_meta(dataset: Any) -> None:
    """Give a file without transfer syntax the one in which its elements could be read."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    meta = getattr(dataset, "file_meta", None)
    if meta is None:
        meta = dataset.file_meta = FileMetaDataset()
    if "TransferSyntaxUID" not in meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
