"""One module per family of files: each gives `read(payload, path)` and `size(payload, path)`.

`read` returns uint8 grey (H, W) or RGB (H, W, 3); `size` returns (H, W) from the header alone. Both may
raise anything on a damaged file: `common.data.decode` turns it into `UnreadableImage`.
"""

from .sniff import format_of

__all__ = ["format_of"]
