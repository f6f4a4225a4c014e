"""DICOM pictures: modality LUT, window or VOI LUT, MONOCHROME1, any depth, any compression."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from .depth import Unusable, check_area, check_single, scale, scale_to_data

JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"


def read(payload: bytes, path: Path) -> np.ndarray:
    """Return the picture as a viewer would show it, bone bright.

    Grey values pass the modality LUT (rescale slope and intercept), then the file's first VOI LUT or window;
    without one, or where the window would show nothing, the range of the values, padding left out.
    MONOCHROME1 is inverted last (DICOM PS3.3 C.7.6.3.1.2, C.11.2).
    """
    from pydicom.pixels import apply_color_lut, apply_modality_lut

    dataset, values = _stored(payload)
    photometric = str(dataset.get("PhotometricInterpretation", "MONOCHROME2"))
    if photometric == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)
        return _colour(values, 8 * values.dtype.itemsize)
    if int(dataset.get("SamplesPerPixel", 1)) > 1:
        return _colour(values, int(dataset.BitsStored))
    grey = _present(np.asarray(apply_modality_lut(values, dataset)), values, dataset)
    return 255 - grey if photometric == "MONOCHROME1" else grey


def labels(payload: bytes, path: Path) -> np.ndarray:
    """Return the stored values; neither window nor photometry apply to a mask."""
    return _stored(payload)[1]


def _stored(payload: bytes) -> tuple[Any, np.ndarray]:
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(payload), force=True)
    return dataset, stored_values(dataset)


def stored_values(dataset: Any) -> np.ndarray:
    """Decode the pixels of a pydicom dataset, with the sign bit where BitsStored says it is."""
    from pydicom.pixels import pixel_array

    _check(dataset)
    _complete_meta(dataset)
    if dataset.file_meta.TransferSyntaxUID == JPEG_EXTENDED and dataset.get("BitsStored") == 12:
        values = _jpeg_12_bit(dataset)
    else:
        values = pixel_array(dataset)
    return _significant_bits(values, dataset)


def size(payload: bytes, path: Path) -> tuple[int, int]:
    """Return (Rows, Columns)."""
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(payload), force=True, stop_before_pixels=True)
    if "Rows" not in dataset or "Columns" not in dataset:
        raise Unusable(*_no_picture(dataset))
    return int(dataset.Rows), int(dataset.Columns)


def _jpeg_12_bit(dataset: Any) -> np.ndarray:
    """Decode what none of pydicom's plug-ins under a permissive licence does."""
    import imagecodecs
    from pydicom.encaps import get_frame

    return imagecodecs.jpeg_decode(get_frame(dataset.PixelData, 0, number_of_frames=1))


def _no_picture(dataset: Any) -> tuple[str, str]:
    kind = getattr(dataset.get("SOPClassUID"), "name", "unknown class")
    return f"it is a DICOM object without a picture ({kind})", "Leave it out; only images are read here"


def _check(dataset: Any) -> None:
    pixels = any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
    if not pixels or "Rows" not in dataset or "Columns" not in dataset:
        raise Unusable(*_no_picture(dataset))
    check_single(int(dataset.get("NumberOfFrames") or 1))
    check_area(int(dataset.Rows), int(dataset.Columns))


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


def _significant_bits(values: np.ndarray, dataset: Any) -> np.ndarray:
    """Drop what old files keep above the stored bits (overlays), and put the sign bit in its place."""
    unused = 8 * values.dtype.itemsize - int(dataset.get("BitsStored", 8 * values.dtype.itemsize))
    if values.dtype.kind not in "iu" or unused <= 0 or int(dataset.get("BitsStored", 1)) == 1:
        return values
    return (values << unused) >> unused


def _colour(values: np.ndarray, bits: int) -> np.ndarray:
    values = values[..., :3]
    return values if values.dtype == np.uint8 and bits == 8 else scale(values, 0.0, 2.0**bits - 1)


def _present(values: np.ndarray, stored: np.ndarray, dataset: Any) -> np.ndarray:
    table = dataset.get("VOILUTSequence")
    if table and values.dtype.kind in "iu":
        from pydicom.pixels import apply_voi

        return scale(apply_voi(values, dataset, index=0), 0.0, 2.0 ** int(table[0].LUTDescriptor[2]) - 1)
    window = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    if window[0] is not None and window[1] is not None:
        shown = _window(values, window[0], window[1], str(dataset.get("VOILUTFunction", "LINEAR")))
        if shown.min() < shown.max():
            return shown
    padding = dataset.get("PixelPaddingValue")
    kept = values[stored != padding] if isinstance(padding, int) else values
    if kept.size and kept.min() < kept.max():
        return scale(values, float(kept.min()), float(kept.max()))
    return scale_to_data(values)


def _window(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """Apply a window (DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3)."""
    if function == "SIGMOID" and width > 0:
        exponent = np.clip(-4.0 * (values.astype(np.float64) - centre) / width, -80, 80)
        return scale(1.0 / (1.0 + np.exp(exponent)), 0.0, 1.0)
    if function != "LINEAR_EXACT":
        centre, width = centre - 0.5, width - 1
    # A width of 1 is a threshold; scaling needs a range, however narrow.
    width = max(width, 1e-3)
    return scale(values, centre - width / 2, centre + width / 2)


def _first(value: Any) -> float | None:
    if value is None or value == "":
        return None
    return float(value if isinstance(value, (int, float, str)) else value[0])
