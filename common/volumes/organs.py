"""Organ masks of a volume, chosen by name."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..files.errors import UnreadableImage, Unusable
from ..records import IGNORE
from .geometry import canonical
from .label_names import label_names
from .read import file_errors, module_of
from .structures import ids_of
from .volume import Volume

MOST_LABELS = 4096  # more distinct values than this are brightness


def read_organs(
    path: str | os.PathLike[str], structures: Sequence[str], like: Volume, label_table: str | None = None
) -> np.ndarray:
    """Read a label map and renumber the structures wanted.

    Args:
        path: NIfTI, MHA or NRRD file of integers.
        structures: names; the first becomes 1, and so on. A composite ("bowel", or "heart" in version 1) is the
            union of its parts. At most 254.
        like: the volume that it labels; the label map must lie on the same grid.
        label_table: see `label_names`.

    Returns:
        uint8 (D, H, W), 0 for everything else.

    Raises:
        UnreadableImage: another shape or affine than the volume's, an unknown name, or values without name.
        ValueError: no structure, too many, or one twice.
    """
    if not structures or len(structures) >= IGNORE or len(set(structures)) != len(structures):
        raise ValueError(f"structures is {list(structures)}; name 1 to {IGNORE - 1} different ones")
    values = read_label_map(path, like)
    with file_errors(Path(path)):
        return renumbered(values, label_names(Path(path), label_table), structures)


def renumbered(values: np.ndarray, names: Mapping[str, int], structures: Sequence[str]) -> np.ndarray:
    """Keep the structures wanted, numbered from 1 in their order.

    Args:
        values: integers (D, H, W), 0 or more.
        names: of these values.
        structures: as `read_organs`.

    Returns:
        uint8 (D, H, W), 0 for everything else.

    Raises:
        Unusable: an unknown name, or values without name.
    """
    lookup = np.full(max(int(values.max()), *names.values()) + 1, IGNORE, dtype=np.uint8)
    lookup[[0, *names.values()]] = 0
    for number, structure in enumerate(structures, start=1):
        lookup[list(ids_of(structure, names))] = number
    organs = np.empty(values.shape, dtype=np.uint8)
    for plane, numbers in zip(organs, values, strict=True):  # a whole volume of 8-byte indices would not fit
        np.take(lookup, numbers, out=plane)
    if organs.max() == IGNORE:  # a value without a name means that the names belong to another version
        strange = int(values[organs == IGNORE].min())
        problem = f"its value {strange} has no name ({len(names)} are named, up to {max(names.values())})"
        raise Unusable(problem, "Give the names of the version that made it (sidecar or label_table)")
    return organs


def read_label_map(path: str | os.PathLike[str], like: Volume) -> np.ndarray:
    """Read a label map as it is, in the orientation of volumes.

    Args:
        path: as `read_organs`.
        like: as `read_organs`.

    Returns:
        Integers (D, H, W) as stored.

    Raises:
        UnreadableImage: no integers, or another shape or affine than the volume's.
    """
    place = Path(path)
    with file_errors(place):
        module = module_of(place)
        if not hasattr(module, "load_labels"):
            raise Unusable("a label map is one file of NIfTI, MHA or NRRD", "Convert it")
        values, affine = module.load_labels(place)
        values, grid = canonical(_as_integers(values), affine, order=0, outside=0)
    if not grid.matches(like.grid):
        reason = f"the label map has {grid} and its volume {like.grid}"
        raise UnreadableImage(path, reason, "Segment this very volume again, or resample the label map to its grid")
    return values


def _as_integers(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        raise Unusable("its values are no integers", "A label map has one integer per structure: was it interpolated?")
    if values.min() < 0 or values.max() > MOST_LABELS:
        problem = f"its values run from {values.min():g} to {values.max():g}"
        raise Unusable(problem, f"Labels are integers from 0 to {MOST_LABELS}: is it a CT?")
    return values.astype(np.int32) if values.dtype.kind == "f" else values
