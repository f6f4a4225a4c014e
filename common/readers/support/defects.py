"""Known defects that several releases share, or that a format tells; a reader names those of its data set."""

from pathlib import Path

import numpy as np

from ...files.notices import collect_notices
from ...images.formats import jsrt
from .copies import without_nested
from .publication import Defect
from .suffixes import has_known_suffix
from .tree import Tree

PNG = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPE = 25  # the byte of a PNG's header that holds it
WITH_ALPHA = (4, 6)


def nested_copies(tree: Tree) -> list[Path]:
    """Return the images that lie again, at the same path and with the same bytes, in a deeper folder."""
    images = [path for path in tree.paths if has_known_suffix(path)]
    with collect_notices():
        kept = set(without_nested(images, tree.root))
    return [path for path in images if path not in kept]


def alpha_pngs(tree: Tree) -> list[Path]:
    """Return the PNG files that have a channel of opacity, by their headers."""
    return [path for path in tree.paths if path.suffix.lower() == ".png" and _colour_type(path) in WITH_ALPHA]


def swapped_raw(tree: Tree) -> list[Path]:
    """Return JSRT's raw radiographs whose bytes were put into the order of PCs: noise, as they are meant to be read."""
    raw = [path for path in tree.paths if path.suffix.lower() == ".img" and path.is_file()]
    return [path for path in raw if path.stat().st_size == jsrt.FILE_BYTES and _is_swapped(path.read_bytes())]


def _is_swapped(payload: bytes) -> bool:
    return not jsrt.is_radiograph(payload) and jsrt.is_radiograph(np.frombuffer(payload, "<u2").byteswap().tobytes())


def _colour_type(path: Path) -> int | None:
    try:
        with path.open("rb") as file:
            head = file.read(COLOUR_TYPE + 1)
    except OSError:  # whoever reads the image says so
        return None
    return head[COLOUR_TYPE] if len(head) > COLOUR_TYPE and head.startswith(PNG) else None


NESTED_COPIES = Defect("the archive again in a folder of itself", nested_copies, "The copies are left out; delete them")
FOUR_CHANNELS = Defect("PNG of four channels", alpha_pngs, "They are read as grey: nothing is to do", opens=True)
OTHER_BYTE_ORDER = Defect(
    "raw radiographs in another order of bytes",
    swapped_raw,
    "Get the publisher's files, or swap the two bytes of each value: numpy.fromfile(path, '<u2').byteswap()",
    opens=True,
)
