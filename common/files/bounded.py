"""Decompression that stops: a file of a few megabytes may unfold into more than there is memory.

How much there must be is what the format's own header states; what a compressed file can hold at most is known
from its size. Both are compared before memory is spent.
"""

import zlib

from .errors import Unusable

DEFLATE = 1032  # the most bytes that one byte of gzip, zip or zlib can become (zlib's technical notes)
MAX_BYTES = 1 << 33  # of a volume: 1024 x 1024 x 2048 voxels of 4 bytes, twice the largest CT
LARGE, EMPTY = 1 << 31, 500  # bytes and expansion of a volume that is there to fill memory: not even masks have both
SLACK = 1 << 20  # bytes: writers that fill the last block leave some behind the voxels
WINDOW = 31  # zlib's number for "gzip with its header and checksum"


def check_declared(wanted: int, stored: int, expansion: int = 1) -> None:
    """Refuse a header that declares more than its file can hold, or more than any volume has.

    Args:
        wanted: bytes that the header declares.
        stored: bytes of the file that are there for them.
        expansion: bytes that one stored byte can become: `DEFLATE` for gzip and zip, 1 for uncompressed.

    Raises:
        Unusable: naming both.
    """
    if not 0 < wanted <= MAX_BYTES:
        problem = f"its header declares {wanted:,} bytes of voxels, and at most {MAX_BYTES:,} are read"
        raise Unusable(problem, "The header is damaged: get the file again")
    if wanted > LARGE and wanted > stored * EMPTY and expansion > 1:
        problem = f"its {stored:,} bytes of file become {wanted:,} bytes of voxels, as if made to fill memory"
        raise Unusable(problem, "No scan is as empty: get the file again")
    if wanted > stored * expansion + SLACK * (expansion > 1):
        problem = f"its header declares {wanted:,} bytes of voxels, and {stored:,} bytes of file cannot hold them"
        raise Unusable(problem, "A download was cut off or the header is damaged: get the file again")


def gunzip(payload: bytes, limit: int) -> bytes:
    """Decompress gzip, all its members, up to a limit.

    Args:
        payload: the whole file.
        limit: bytes that may come out of it.

    Raises:
        Unusable: data that are cut or corrupt, or that become more than the limit.
    """
    parts: list[bytes] = []
    left, rest = limit, payload
    while rest.startswith(b"\x1f\x8b") or not parts:
        member = zlib.decompressobj(wbits=WINDOW)
        try:
            parts.append(member.decompress(rest, left + 1))
        except zlib.error as error:
            raise Unusable(f"its gzip data are cut or corrupt ({error})", "Get the file again") from None
        left -= len(parts[-1])
        if left < 0:
            problem = f"its gzip data become more than the {limit:,} bytes that its header declares"
            raise Unusable(problem, "The header is damaged, or it was made to fill memory: get the file again")
        if not member.eof:
            raise Unusable("its gzip data are cut or corrupt (they end too early)", "Get the file again")
        rest = member.unused_data.lstrip(b"\0")
    if rest:
        raise Unusable("its gzip data are cut or corrupt (something else follows them)", "Get the file again")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def gunzip_start(payload: bytes, count: int) -> bytes:
    """Decompress the first bytes of gzip; fewer where it is cut, corrupt or shorter.

    Args:
        payload: the file or its beginning.
        count: bytes wanted, 1 or more.
    """
    try:
        return zlib.decompressobj(wbits=WINDOW).decompress(payload, count)
    except zlib.error:
        return b""
