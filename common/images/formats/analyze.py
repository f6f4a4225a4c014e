"""Single-slice pictures in two files, header (.hdr) and voxels (.img): Analyze 7.5 and NIfTI pairs."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from ...files.bounded import SLACK, gunzip
from ...files.errors import Unusable
from .depth import scale_by_bits
from .labels import Labels, labels_of
from .nifti import check_slice, geometry, oriented, stored_slice

ANALYZE, NIFTI_2 = 348, 540  # bytes of a header, which it begins with
HEADER_STARTS = {size.to_bytes(4, order) for size in (ANALYZE, NIFTI_2) for order in ("little", "big")}
MOST_HEADER_BYTES = 1 << 20  # with its extensions
GZIP = b"\x1f\x8b"
KINDS = (".hdr", ".img")


def is_pair(head: bytes, path: Path) -> bool:
    """Say whether a file is the header of a pair or, by the header beside it, the voxels of one.

    Args:
        head: the beginning of the file, decompressed.
        path: of the file.
    """
    kind = kind_of(path)
    if kind == ".hdr":
        return head[:4] in HEADER_STARTS
    beside = _beside(path, ".hdr") if kind == ".img" else None
    return beside is not None and _plain(beside.read_bytes()[:MOST_HEADER_BYTES])[:4] in HEADER_STARTS


def read(payload: bytes, path: Path) -> np.ndarray:
    """Return the slice as NIfTI is shown; Analyze 7.5 does not say where its axes point and is only transposed."""
    return scale_by_bits(_values(payload, path))


def labels(payload: bytes, path: Path) -> Labels:
    """Return the stored values, turned as `read` turns them."""
    return labels_of(_values(payload, path))


def size(payload: bytes, path: Path) -> tuple[int, int]:
    """Return (H, W) from the header."""
    _, image = _header(payload, path)
    return check_slice(image)


def _values(payload: bytes, path: Path) -> np.ndarray:
    from nibabel.analyze import AnalyzeImage
    from nibabel.fileholders import FileHolder

    head, header = _header(payload, path)
    check_slice(header)
    wanted = int(header.get_data_offset()) + math.prod(header.get_data_shape()) * header.get_data_dtype().itemsize
    voxels = _plain(payload if kind_of(path) != ".hdr" else _found(path, ".img").read_bytes(), wanted + SLACK)
    if len(voxels) < wanted:
        reason = f"its header declares {wanted:,} bytes of voxels and there are {len(voxels):,}"
        raise Unusable(reason, "Get both files again: a download was cut off")
    family = _family(head)
    files = {"header": FileHolder(fileobj=io.BytesIO(head)), "image": FileHolder(fileobj=io.BytesIO(voxels))}
    image = family.from_file_map(files)
    values = stored_slice(image)
    return values if family is AnalyzeImage else oriented(values, geometry(image))


def _header(payload: bytes, path: Path) -> tuple[bytes, Any]:
    own = kind_of(path) == ".hdr" or (payload[:4] in HEADER_STARTS and kind_of(path) != ".img")
    head = _plain(payload if own else _found(path, ".hdr").read_bytes())
    if len(head) < ANALYZE:
        raise Unusable(f"its header has {len(head)} bytes of {ANALYZE}", "Get both files again: a download was cut off")
    return head, _family(head).header_class.from_fileobj(io.BytesIO(head))


def _family(head: bytes) -> Any:
    from nibabel.analyze import AnalyzeImage
    from nibabel.nifti1 import Nifti1Pair
    from nibabel.nifti2 import Nifti2Pair

    if head[4:6] == b"ni":
        return Nifti2Pair
    return Nifti1Pair if head[344:346] == b"ni" else AnalyzeImage


def _plain(content: bytes, limit: int = MOST_HEADER_BYTES) -> bytes:
    return gunzip(content, limit) if content.startswith(GZIP) else content


def kind_of(path: Path) -> str:
    """The suffix of a name in small letters, without that of packing."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def second_files(path: Path) -> list[Path]:
    """Return the other file of a header (.hdr) or of voxels (.img); where it is missing, every name it may have."""
    kind = KINDS[kind_of(path) == KINDS[0]]
    found = _beside(path, kind)
    return _names(path, kind) if found is None else [found]


def _beside(path: Path, kind: str) -> Path | None:
    return next((file for file in _names(path, kind) if file.is_file()), None)


def _names(path: Path, kind: str) -> list[Path]:
    stem = path.name[: len(path.name.lower().removesuffix(".gz")) - len(kind_of(path))]
    return [path.with_name(stem + ending) for ending in (kind, kind.upper(), f"{kind}.gz")]


def _found(path: Path, kind: str) -> Path:
    beside = _beside(path, kind)
    if beside is None:
        raise Unusable(f"its second file, {kind}, is missing", "Put it beside this one: both are needed")
    return beside
