"""Lookup tables of DICOM: modality, VOI and palette, in every form they have (PS3.3 C.11.1, C.7.6.3.1.5)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...files.errors import Unusable

COLOURS = ("Red", "Green", "Blue")


@dataclass(frozen=True)
class Table:
    """A function of whole numbers.

    Args:
        first: the number that has the first entry; smaller ones have it too, larger than the last the last.
        entries: of the table.
        white: the largest entry that the number of its bits allows.
    """

    first: int
    entries: np.ndarray
    white: float

    def of(self, values: np.ndarray) -> np.ndarray:
        """Look values up; fractions count as the nearest whole number."""
        whole = np.rint(values) if values.dtype.kind == "f" else values
        return self.entries[np.clip(whole.astype(np.int64) - self.first, 0, len(self.entries) - 1)]


def first_table(items: Any, dataset: Any, signed: bool) -> Table | None:
    """Return the first table of a sequence that has entries.

    Args:
        items: value of ModalityLUTSequence or VOILUTSequence; None, or empty.
        dataset: they stand in.
        signed: negative values are looked up.
    """
    for item in items or ():
        made = _table(item.get("LUTDescriptor"), item.get("LUTData"), dataset, signed)
        if made is not None:
            return made
    return None


def palette(values: np.ndarray, dataset: Any) -> np.ndarray:
    """Return the colours of a PALETTE COLOR picture, uint8 (H, W, 3)."""
    signed = dataset.get("PixelRepresentation") == 1
    tables = [_palette_table(dataset, colour, signed) for colour in COLOURS]
    white = max(table.white for table in tables)
    shades = [np.rint(table.entries.astype(np.float64) * 255 / white).astype(np.uint8) for table in tables]
    looked_up = [Table(t.first, shade, 255.0).of(values) for t, shade in zip(tables, shades, strict=True)]
    return np.stack(looked_up, axis=-1)


def _palette_table(dataset: Any, colour: str, signed: bool) -> Table:
    descriptor = dataset.get(f"{colour}PaletteColorLookupTableDescriptor")
    data = dataset.get(f"{colour}PaletteColorLookupTableData")
    if not data:
        data = _expanded(dataset.get(f"Segmented{colour}PaletteColorLookupTableData"), descriptor, dataset)
    made = _table(descriptor, data, dataset, signed)
    if made is None:
        raise Unusable(f"its palette has no entries for {colour.lower()}", "Get the file again, or save it as PNG")
    return made


def _expanded(segments: bytes | None, descriptor: Any, dataset: Any) -> list[int] | None:
    """Return the entries of a table that is stored as segments (PS3.3 C.7.9.2)."""
    from pydicom.pixels.processing import _expand_segmented_lut

    if not segments or descriptor is None:
        return None
    width = "B" if int(descriptor[2]) == 8 else "H"
    pattern = f"{_order(dataset)}{len(segments) // (1 if width == 'B' else 2)}{width}"
    numbers = np.frombuffer(segments, np.dtype("u1" if width == "B" else f"{_order(dataset)}u2"))
    return _expand_segmented_lut(tuple(numbers.tolist()), pattern)


def _table(descriptor: Any, data: Any, dataset: Any, signed: bool) -> Table | None:
    if descriptor is None or data is None or np.size(descriptor) != 3 or len(np.atleast_1d(data)) == 0:
        return None
    count, first, bits = (int(number) & 0xFFFF for number in descriptor)
    count = count or 1 << 16  # which sixteen bits cannot say
    if (signed or int(descriptor[1]) < 0) and first >= 1 << 15:
        first -= 1 << 16
    entries = _entries(data, count, bits, _order(dataset))
    if not entries.size:
        return None
    return Table(first, entries, _white(int(entries.max()), bits))


def _white(largest: int, bits: int) -> float:
    """Return the largest entry of this many bits; tables of eight bits often say sixteen, some say too few."""
    if largest <= 0xFF and bits in (8, 16):
        return 255.0
    return 2.0 ** max(bits, largest.bit_length()) - 1


def _entries(data: Any, count: int, bits: int, order: str) -> np.ndarray:
    """Return the entries: one to a word of 16 bits, or two where the words are too few for one."""
    if isinstance(data, bytes):
        words = np.frombuffer(data[: len(data) // 2 * 2], f"{order}u2")
        if len(data) == count == 1:
            return np.frombuffer(data, np.uint8)
    else:
        words = np.asarray(np.atleast_1d(data), np.int64) & 0xFFFF
    if len(words) >= count or len(words) != (count + 1) // 2 or (bits > 8 and words.max() < 256):
        return words[:count].astype(np.uint16)
    return np.stack([words & 0xFF, words >> 8], axis=-1).ravel()[:count].astype(np.uint16)


def _order(dataset: Any) -> str:
    return "<" if dataset.original_encoding[1] is not False else ">"
