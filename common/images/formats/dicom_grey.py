"""From the stored values of DICOM to grey: modality LUT, VOI LUT or window, inversion (PS3.3 C.11, C.7.6.3)."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .depth import notice, scale, scale_to_data
from .dicom_pixels import Pixels
from .dicom_tables import first_table

MACROS = {  # functional groups of enhanced objects, in which an element stands that others have on top
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "WindowCenter": "FrameVOILUTSequence",
    "WindowWidth": "FrameVOILUTSequence",
    "VOILUTFunction": "FrameVOILUTSequence",
}
ANY_WIDTH = ("LINEAR_EXACT", "SIGMOID")  # above 0 they have; LINEAR has at least 1 (C.11.2.1.2 and C.11.2.1.3)
WANDER = 64  # lossy compression moves padding by less than this part of the range


def present(pixels: Pixels, dataset: Any, photometric: str) -> np.ndarray:
    """Return uint8 (H, W) as a viewer would show it.

    The first VOI LUT or, without one, the first window that shows something; without either the range of the
    values, padding left out. MONOCHROME1, or a presentation LUT that inverts, is inverted once.

    Args:
        pixels: of the file.
        dataset: its elements.
        photometric: MONOCHROME1 or MONOCHROME2.
    """
    padding = padding_of(pixels, dataset)
    grey = _shown(_modality(pixels, dataset), padding, dataset)
    if _inverted(dataset, photometric):
        grey = 255 - grey
    if padding is not None:
        grey[padding] = 0
    return grey


def padding_of(pixels: Pixels, dataset: Any) -> np.ndarray | None:
    """Return where the stored value is padding (C.7.5.1.1.2); None where it is nowhere, or almost everywhere.

    Args:
        pixels: of the file.
        dataset: its elements.
    """
    kinds = ("FloatPixel", "DoubleFloatPixel") if pixels.values.dtype.kind == "f" else ("Pixel",)
    value, limit = (
        next((number for kind in kinds if (number := _number(dataset.get(f"{kind}Padding{end}"))) is not None), None)
        for end in ("Value", "RangeLimit")
    )
    if value is None:
        return None
    ends, values = _as_stored([value, value if limit is None else limit], pixels)
    wander = 2.0**pixels.bits / WANDER if pixels.lossy and values.dtype.kind != "f" else 0
    padding = (values >= min(ends) - wander) & (values <= max(ends) + wander)
    kept = pixels.values[~padding]
    if padding.any() and kept.size and kept.min() < kept.max():
        return padding
    return None


def _as_stored(ends: list[float], pixels: Pixels) -> tuple[list[float], np.ndarray]:
    """Bring padding values, whose type is often not the pixels', to it; some lie outside the stored bits."""
    values = pixels.values
    if values.dtype.kind == "f":
        return ends, values
    if values.dtype.kind == "i":
        span = 2**pixels.bits
        ends = [end - 2.0**16 if end >= 2**15 and end >= span / 2 and pixels.bits <= 16 else end for end in ends]
        ends = [end - span if span / 2 <= end < span else end for end in ends]
    else:
        ends = [end + 2.0**16 if end < 0 else end for end in ends]
    inside = all(-(2 ** (pixels.bits - 1)) <= end < 2**pixels.bits for end in ends)
    return ends, values if inside else pixels.raw.view(f"{values.dtype.kind}{values.dtype.itemsize}")


def _modality(pixels: Pixels, dataset: Any) -> np.ndarray:
    values = pixels.values
    table = first_table(dataset.get("ModalityLUTSequence"), dataset, signed=values.dtype.kind == "i")
    if table is not None:
        return table.of(values)
    slope, intercept = (_number(_found(dataset, name)) for name in ("RescaleSlope", "RescaleIntercept"))
    slope, intercept = slope or 1.0, intercept or 0.0
    return values if (slope, intercept) == (1.0, 0.0) else values * slope + intercept


def _shown(values: np.ndarray, padding: np.ndarray | None, dataset: Any) -> np.ndarray:
    table = first_table(dataset.get("VOILUTSequence"), dataset, _may_be_negative(values, dataset))
    if table is not None:
        looked_up = scale(table.of(values), 0.0, table.white)
        if _shows(looked_up, padding):
            return looked_up
    function = str(_found(dataset, "VOILUTFunction") or "LINEAR").strip().upper()
    windows = list(_windows(dataset))
    for centre, width in windows:
        if width >= 1 or (width > 0 and function in ANY_WIDTH):
            looked_at = _window(values, centre, width, function)
            if _shows(looked_at, padding):
                return looked_at
    if table is not None or windows:
        stated = "VOI LUT" if table is not None else f"window (centre {windows[0][0]:g}, width {windows[0][1]:g})"
        notice(f"its {stated} shows nothing or is not valid: the range of the values is shown")
    kept = values if padding is None else values[~padding]
    finite = kept[np.isfinite(kept)] if kept.dtype.kind == "f" else kept
    if not finite.size or finite.min() == finite.max():
        return scale_to_data(values)
    if finite.size < kept.size:
        notice(f"{kept.size - finite.size} of {values.size} values are not finite: NaN is shown black")
    return scale(values, float(finite.min()), float(finite.max()))


def _may_be_negative(values: np.ndarray, dataset: Any) -> bool:
    """Say whether a table's first value is meant with its sign, which files often store without."""
    signed = dataset.get("PixelRepresentation") == 1 or (_number(_found(dataset, "RescaleIntercept")) or 0) < 0
    return signed or bool(values.dtype.kind in "if" and values.min() < 0)


def _shows(grey: np.ndarray, padding: np.ndarray | None) -> bool:
    kept = grey if padding is None else grey[~padding]
    return bool(kept.min() < kept.max())


def _window(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """Apply a window (C.11.2.1.2 and C.11.2.1.3)."""
    if function == "SIGMOID":
        exponent = np.clip(-4.0 * (values.astype(np.float64) - centre) / width, -80, 80)
        return scale(1.0 / (1.0 + np.exp(exponent)), 0.0, 1.0)
    if function != "LINEAR_EXACT":
        centre, width = centre - 0.5, width - 1
    if width == 0:
        return np.where(values > centre, 255, 0).astype(np.uint8)
    return scale(values, centre - width / 2, centre + width / 2)


def _inverted(dataset: Any, photometric: str) -> bool:
    shape = str(dataset.get("PresentationLUTShape") or "").strip().upper()
    expected = {"MONOCHROME1": "INVERSE", "MONOCHROME2": "IDENTITY"}.get(photometric)
    if shape in ("INVERSE", "IDENTITY") and expected not in (None, shape):
        notice(f"PresentationLUTShape {shape} contradicts {photometric}: the picture is inverted, once")
    return photometric == "MONOCHROME1" or shape == "INVERSE"


def _windows(dataset: Any) -> Iterator[tuple[float, float]]:
    centres, widths = (np.atleast_1d(_listed(_found(dataset, name))) for name in ("WindowCenter", "WindowWidth"))
    for centre, width in zip(centres.tolist(), widths.tolist(), strict=False):
        pair = _number(centre), _number(width)
        if pair[0] is not None and pair[1] is not None:
            yield pair[0], pair[1]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, (int, float, str)) else list(value)


def _found(dataset: Any, name: str) -> Any:
    """Return an element, from the top or from the functional groups of an enhanced object."""
    if name in dataset:
        return dataset.get(name)
    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        for group in (dataset.get(groups) or [])[:1]:
            for macro in group.get(MACROS[name]) or []:
                if name in macro:
                    return macro.get(name)
    return None


def _number(value: Any) -> float | None:
    """Return the first number of an element; None where it is absent or empty."""
    try:
        number = float(_listed(value)[0])
    except (IndexError, TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None
