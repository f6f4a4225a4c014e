"""The bytes of a NIfTI file, compressed or not, whatever its suffix says, and never more than its header declares."""

import math
from typing import Any

from ...files.bounded import DEFLATE, SLACK, check_declared, gunzip, gunzip_start
from ...files.errors import Unusable

HEADER_BYTES = 540  # of NIfTI-2; NIfTI-1 has 348
GZIP = b"\x1f\x8b"


def nifti_bytes(payload: bytes) -> bytes:
    """Return header, extensions and voxels.

    Args:
        payload: the whole file.

    Raises:
        Unusable: gzip data that are cut, corrupt, or more than the header declares; a header that declares more
            than the file can hold.
    """
    if not payload.startswith(GZIP):
        return payload
    start = gunzip_start(payload, HEADER_BYTES)
    wanted = declared_bytes(start if len(start) == HEADER_BYTES else gunzip(payload, HEADER_BYTES))
    check_declared(wanted, len(payload), DEFLATE)
    return gunzip(payload, wanted + SLACK)


def declared_bytes(head: bytes) -> int:
    """Return how long a file is by its header: header, extensions and voxels together.

    Args:
        head: its first `HEADER_BYTES`, decompressed.

    Raises:
        Unusable: no NIfTI header.
    """
    header = raw_header(head)
    sides = [int(side) for side in header["dim"][1 : 1 + max(0, min(int(header["dim"][0]), 7))]]
    voxels = math.prod(max(side, 1) for side in sides)
    return max(int(header["vox_offset"]), len(header.binaryblock)) + voxels * int(header["bitpix"]) // 8


def raw_header(head: bytes) -> Any:
    """Return nibabel's header as it was written, with nothing mended; of NIfTI-1 or -2 and either byte order.

    Args:
        head: at least the first `HEADER_BYTES`, or all of a shorter file, decompressed.

    Raises:
        Unusable: no NIfTI header.
    """
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    family = Nifti2Header if head[4:6] in (b"n+", b"ni") else Nifti1Header
    size = family.template_dtype.itemsize
    if len(head) < size:
        raise Unusable(f"it has {len(head)} bytes where a NIfTI header has {size}", "Get the file again")
    return family(head[:size], check=False)
