"""One module per family of files: each gives `read`, `labels` and `size` of (payload, path).

`read` returns uint8 grey (H, W) or RGB (H, W, 3) for looking at; `labels` returns the stored values, which in a
mask are names and not brightness; `size` returns (H, W) from the header alone. They may raise anything on a
damaged file: `common.images.decode` turns it into `UnreadableImage`.
"""

from .sniff import format_of

__all__ = ["format_of"]
