"""From the values of a mask file to 0 background, 1 structure, 255 ignore; what nobody has named is refused."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ..files.errors import UnreadableImage, Unusable
from ..records import IGNORE
from .formats.depth import notice
from .formats.labels import Labels

LOSSY_GAP = 32  # between two values that lossy compression leaves apart
REMEDY = "Say which of them is the structure (foreground) and which to leave out (ignore)"


class Meaning(NamedTuple):
    """What the user calls structure (None: the one value that is not 0) and what ignore."""

    foreground: frozenset[int] | None
    ignore: frozenset[int]

    def unexplained(self, present: Collection[int]) -> set[int]:
        """Return the values that are neither background nor named."""
        rest = set(present) - {0} - self.ignore
        if self.foreground is not None:
            return rest - self.foreground
        return rest if len(rest) > 1 else set()

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return uint8 (H, W): 0, 1 and 255."""
        structure = (values != 0) if self.foreground is None else np.isin(values, list(self.foreground))
        mask = structure.astype(np.uint8)
        if self.ignore:
            mask[np.isin(values, list(self.ignore))] = IGNORE
        return mask


def mask_of(
    labels: Labels, foreground: int | Collection[int] | None = None, ignore: int | Collection[int] | None = None
) -> np.ndarray:
    """Name the values of a mask.

    Of the ways in which a file can be read, the one counts that the named values explain.

    Args:
        labels: what a format gives.
        foreground: value or values of the structure; None takes the one value that is not 0.
        ignore: value or values that count neither way.

    Returns:
        uint8 array (H, W): 0 background, 1 structure, 255 ignore.

    Raises:
        Unusable: values that nobody has named, or names that fit in two ways.
    """
    meaning = Meaning(None if foreground is None else _values(foreground), _values(ignore))
    readings = [_whole_numbers(values) for values in labels.readings]
    present = [_present(values) for values in readings]
    explained = [not meaning.unexplained(found) for found in present]
    if any(explained):
        return _only(
            [meaning.apply(values) for values, known in zip(readings, explained, strict=True) if known], present
        )
    if labels.lossy:
        return _nearest(readings[0], present[0], meaning)
    if meaning.foreground is None:
        raise Unusable(f"the mask has the values {_listed(meaning.unexplained(present[0]))} besides 0", REMEDY)
    named = [bool(found & (meaning.foreground | meaning.ignore) - {0}) for found in present]
    if not any(named):
        stated = f"the mask has the values {_listed(present[0] - {0})} and not {_listed(meaning.foreground)}"
        raise Unusable(f"{stated}, which foreground names", REMEDY)
    number = named.index(True)
    rest = _listed(meaning.unexplained(present[number]))
    notice(f"the mask also has the values {rest}, which neither foreground nor ignore names: they count as background")
    return meaning.apply(readings[number])


def _only(masks: list[np.ndarray], present: list[set[int]]) -> np.ndarray:
    if any(not np.array_equal(masks[0], mask) for mask in masks[1:]):
        stated = " or ".join(_listed(found) for found in present)
        raise Unusable(f"its values are {stated}, indices or greys, and what is named fits both", REMEDY)
    return masks[0]


def _nearest(values: np.ndarray, present: set[int], meaning: Meaning) -> np.ndarray:
    """Give each value to the nearest one that is named: compression leaves 3 or 250 of 0 and 255.

    At an edge anything may lie between them; an area of other values is a structure that nobody has named.
    """
    if meaning.foreground is None:
        upper = values[(values > max(present) / 2) & ~np.isin(values, list(meaning.ignore))]
        named = {int(np.bincount(upper).argmax())} if upper.size and min(present) >= 0 else set()
    else:
        named = set(meaning.foreground)
    levels = np.array(sorted({0} | named | meaning.ignore))
    gap = np.diff(levels).min() if len(levels) > 1 else 0
    unexplained = _listed(present - set(levels.tolist()))
    if gap < LOSSY_GAP:
        if len(named) >= LOSSY_GAP:
            return meaning.apply(values)  # a range of values is a threshold, and taken as it is
        raise Unusable(f"its lossy compression has left the values {unexplained}", f"{REMEDY}, or save it as PNG")
    nearest = levels[np.abs(values[..., None] - levels).argmin(axis=-1)]
    far = np.abs(values - nearest) > gap / 4
    if ndimage.minimum_filter(far, size=3, mode="nearest").any():
        raise Unusable(f"the mask has areas of the values {_listed(set(values[far].tolist()))} besides 0", REMEDY)
    return Meaning(frozenset(named), meaning.ignore).apply(nearest)


def _whole_numbers(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "f":
        return values
    broken = values[~np.isfinite(values) | (values != np.rint(values))]
    if broken.size:
        remedy = "Save it with one whole number per structure; probabilities have to be cut first"
        raise Unusable(f"the mask has the value {broken[0]:g}, which is no label", remedy)
    return values.astype(np.int64)


def _present(values: np.ndarray) -> set[int]:
    if values.dtype in (np.uint8, np.uint16):
        return set(np.flatnonzero(np.bincount(values.ravel())).tolist())
    return {int(value) for value in np.unique(values)}


def _listed(values: Collection[int]) -> str:
    ordered = sorted(values)
    return f"{ordered[:8]}" + (f" and {len(ordered) - 8} more" if len(ordered) > 8 else "")


def _values(value: int | Collection[int] | None) -> frozenset[int]:
    if value is None:
        return frozenset()
    return frozenset([value] if isinstance(value, int) else value)


def check_shape(image: tuple[int, ...], mask: tuple[int, ...], path: str, structure: str) -> None:
    """Refuse a mask of other proportions than its image's, but for the rounding of a pixel.

    Another size is none of it: publishers draw masks on smaller copies of their images.

    Args:
        image: (H, W).
        mask: (H, W).
        path: of the mask.
        structure: of the mask.

    Raises:
        UnreadableImage: the proportions differ.
    """
    (height, width), (rows, columns) = image, mask
    if abs(rows * width - height * columns) * 2 > max(width, height):
        reason = f"the {structure} mask has {rows} x {columns} pixels and its image {height} x {width}"
        raise UnreadableImage(path, reason, "Make the mask on its image, or leave it out")


def resample_nearest(mask_HW: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Return a mask at another (H, W): of each new pixel's centre the value there, for labels have none in between."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int) for old, new in zip(mask_HW.shape, size, strict=True)
    )
    return mask_HW[np.ix_(rows, columns)]
