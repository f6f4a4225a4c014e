"""Masks that a data set describes otherwise than by an image file: drawn once, into a folder.

A reader says what each mask is like (`shapes`), and gets the files. They are PNG of one bit, so that a person can look
at them; whatever reads masks reads them as those that publishers give as images. A mask is drawn again when its
description, its size or one of its files has changed.
"""

import hashlib
import json
from collections import defaultdict
from pathlib import Path

from PIL import Image

from ...files.atomic import replacing, write_atomically
from ...files.bar import Bar
from ...files.errors import DatasetError, UnreadableImage
from ...files.locks import locked
from ...files.notices import add_notice, first_few
from .shapes import Shape, Size
from .suffixes import stem
from .tree import DRAWN

JOURNAL = "drawn.json"
VERSION = 1  # of drawing; another one draws all masks again


class DrawnMasks:
    """The masks of one data set that have to be drawn.

    Args:
        root: of the data set; masks go to a folder in it that no reader searches.
        dataset: its name, and the name of the folder below.
        masks_dir: the reader's option of this name: another folder, where the root's cannot be written; or None.
    """

    def __init__(self, root: Path, dataset: str, masks_dir: str | None = None):
        self.folder = (root / DRAWN if masks_dir is None else Path(masks_dir).expanduser().resolve()) / dataset
        self._shapes: dict[tuple[Path, str], Shape] = {}

    def add(self, image: Path, structure: str, shape: Shape) -> None:
        """Ask for a mask; images differ in their names."""
        self._shapes[image, structure] = shape

    def draw(self) -> dict[Path, dict[str, str]]:
        """Draw what is not yet drawn, and return image -> structure -> file.

        Images and masks that cannot be read are left out with a notice: a store leaves out the images, too.

        Raises:
            DatasetError: the folder cannot be written.
        """
        wanted, files = self._wanted()
        try:
            if self._missing(wanted):
                self.folder.mkdir(parents=True, exist_ok=True)
                with locked(self.folder / ".lock"):
                    broken = self._draw(wanted)
            else:
                broken = {}
        except OSError as error:
            problem = f"masks cannot be drawn into it ({error.strerror or error})"
            raise DatasetError(self.folder, problem, "Name another folder by the option masks_dir") from None
        if broken:
            add_notice(f"{len(broken)} masks cannot be drawn and are left out ({first_few(broken.values())})")
        found: dict[Path, dict[str, str]] = defaultdict(dict)
        for (image, structure), name in files.items():
            if name not in broken:
                found[image][structure] = str(self.folder / name)
        return found

    def _wanted(self) -> tuple[dict[str, tuple[Shape, Size]], dict[tuple[Path, str], str]]:
        """What is to be drawn by its file's name, and the file of each mask; all that is empty is one file."""
        wanted, files, lost = {}, {}, {}
        for (image, structure), shape in self._shapes.items():
            try:
                size = shape.size(image)
            except UnreadableImage as error:
                lost[image] = str(error)
                continue
            name = f"empty/{size[0]}x{size[1]}.png" if shape.empty else f"{structure}/{stem(image.name)}.png"
            wanted[name] = shape, size
            files[image, structure] = name
        if lost:
            add_notice(f"{len(lost)} images lose masks whose size cannot be read ({first_few(lost.values())})")
        return wanted, files

    def _missing(self, wanted: dict[str, tuple[Shape, Size]]) -> dict[str, str]:
        """File -> digest of what it has to show, for those that are not there or show something else."""
        drawn = self._journal()
        there = {f"{path.parent.name}/{path.name}" for path in self.folder.glob("*/*.png")}
        digests = {name: _digest(shape, size) for name, (shape, size) in wanted.items()}
        return {name: digest for name, digest in digests.items() if name not in there or drawn.get(name) != digest}

    def _draw(self, wanted: dict[str, tuple[Shape, Size]]) -> dict[str, str]:
        """Draw, and return file -> problem of those that cannot be drawn."""
        missing = self._missing(wanted)  # another process may have drawn meanwhile
        broken, done = {}, {}
        try:
            for name, digest in Bar(missing.items(), unit="mask", desc="drawing masks"):
                shape, size = wanted[name]
                try:
                    mask = shape.draw(size)
                except UnreadableImage as error:
                    broken[name] = str(error)
                    continue
                with replacing(self.folder / name, durable=False) as [partial]:
                    Image.fromarray(mask).save(partial, format="PNG", compress_level=1)
                done[name] = digest
        finally:  # what was drawn before a stop stays
            write_atomically(json.dumps(self._journal() | done), self.folder / JOURNAL)
        return broken

    def _journal(self) -> dict[str, str]:
        """File -> digest of what was drawn into it; nothing where that is not known."""
        try:
            return dict(json.loads((self.folder / JOURNAL).read_text()))
        except (OSError, ValueError, TypeError):
            return {}


def _digest(shape: Shape, size: Size) -> str:
    facts = json.dumps([VERSION, size, "" if shape.empty else shape.facts])
    return hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest()[:16]
