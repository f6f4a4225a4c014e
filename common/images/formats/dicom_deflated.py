"""Deflated DICOM, which pydicom inflates whole: refused here where it becomes more than its own elements declare."""

import io
import zlib

from ...files.bounded import SLACK
from ...files.errors import Unusable

DEFLATED = b"1.2.840.10008.1.2.1.99"
META_BYTES = 4096  # hold the transfer syntax
HEAD_BYTES = 1 << 20  # hold the elements before the pixels
OTHER_BYTES = 16 * SLACK  # for overlays, icons and whatever else a file carries
RAW = -zlib.MAX_WBITS  # zlib's number for deflate without a header


def check_inflated(payload: bytes) -> None:
    """Refuse a deflated file that becomes more than its picture.

    Args:
        payload: a DICOM file, of any transfer syntax.

    Raises:
        Unusable: naming the bound.
    """
    if DEFLATED not in payload[:META_BYTES]:
        return
    import pydicom
    from pydicom.filereader import _read_file_meta_info, read_preamble

    file = io.BytesIO(payload)
    read_preamble(file, force=True)
    _read_file_meta_info(file)
    rest = payload[file.tell() :]
    head = zlib.decompressobj(RAW).decompress(rest, HEAD_BYTES)
    elements = pydicom.dcmread(io.BytesIO(head), force=True, stop_before_pixels=True)
    limit = OTHER_BYTES + int(elements.get("Rows") or 0) * int(elements.get("Columns") or 0) * (
        int(elements.get("BitsAllocated") or 8) // 8 * int(elements.get("SamplesPerPixel") or 1)
    )
    stream, left = zlib.decompressobj(RAW), limit
    while rest and not stream.eof:
        left -= len(stream.decompress(rest, SLACK))
        rest = stream.unconsumed_tail
        if left < 0:
            reason = f"its deflated elements become more than {limit:,} bytes, and its picture is smaller"
            raise Unusable(reason, "The file is damaged, or it was made to fill memory: get it again")
