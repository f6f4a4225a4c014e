"""Names of files made from names of images and structures: one for each, below the folder they belong to."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from common.readers.support.suffixes import stem

_NOT_IN_A_NAME = re.compile(r"[/\\:\x00-\x1f]|%(?=[0-9A-Fa-f]{2})|^\.{1,2}$")


def one_part(name: str) -> str:
    """A name as a single part of a path, different for different names: `a/b` becomes `a%2Fb`, `..` `%2E%2E`."""
    return _NOT_IN_A_NAME.sub(lambda found: "".join(f"%{ord(letter):02X}" for letter in found[0]), name) or "%"


def mask_names(names: Iterable[str]) -> dict[str, str]:
    """Name of the PNG file for each file of one folder.

    It is the image's without its suffix; the whole name where that is no image's suffix, or where two would be one.

    Args:
        names: of all files that lie in the folder.
    """
    made = {name: stem(name) for name in names}
    while True:
        shared = Counter(made.values())
        clashing = [name for name, short in made.items() if shared[short] > 1 and short != name]
        if not clashing:
            return {name: f"{short}.png" for name, short in made.items()}
        made |= {name: name for name in clashing}


def mask_path(image: Path) -> Path:
    """Path of an image's PNG file beside it: only the folder counts, so that a second run gives the same."""
    return image.with_name(_in_folder(image.parent).get(image.name) or f"{image.name}.png")


@lru_cache(maxsize=256)
def _in_folder(folder: Path) -> dict[str, str]:
    return mask_names(path.name for path in folder.iterdir() if not path.is_dir())
