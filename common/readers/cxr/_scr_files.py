"""SCR (van Ginneken et al., 2006): masks and outlines of heart, lungs and clavicles on the images of JSRT."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...files.errors import DatasetError
from ...files.text import read_text
from ..support.copies import one_each
from ..support.drawn_masks import DrawnMasks
from ..support.shapes import MaskFiles, Polygons
from ..support.spelling import canonical, spelled
from ..support.suffixes import is_image
from ..support.tree import Tree

STRUCTURES = {
    **{"heart": "heart", "left lung": "lung_left", "right lung": "lung_right"},
    **{"left clavicle": "clavicle_left", "right clavicle": "clavicle_right"},
}
JOINED = {"lung": ("lung_left", "lung_right"), "clavicle": ("clavicle_left", "clavicle_right")}
FOLDS = ("fold1", "fold2")
FRAME = (1024, 1024)  # of outlines and masks
SECTION = re.compile(r"\[\s*label\s*=\s*([^\]]+?)\s*\]")
POINT = re.compile(r"\{\s*([-+\d.eE]+)\s*,\s*([-+\d.eE]+)\s*\}")


@dataclass(frozen=True)
class Scr:
    """What of it is in a folder.

    Args:
        masks: image -> structure -> file.
        outlines: image -> its file of outlines.
        files: all pictures in folders of masks.
    """

    masks: Mapping[str, Mapping[str, Path]]
    outlines: Mapping[str, Path]
    files: frozenset[Path]

    def fold_of(self, name: str) -> str | None:
        """The fold that an image's files lie in; None without files, or where they lie in no fold's folder."""
        places = [*self.masks.get(name, {}).values(), *([self.outlines[name]] if name in self.outlines else [])]
        folds = {part.lower() for path in places for part in path.parts} & set(FOLDS)
        return folds.pop() if len(folds) == 1 else None


def find_scr(tree: Tree, name_of: Callable[[Path], str | None]) -> Scr:
    """Find masks by the folder of their structure, and outlines by their suffix.

    Args:
        tree: files of the data set.
        name_of: gives the image that a file is named after; None where it is named otherwise.

    Raises:
        DatasetError: different files for one image and structure.
    """
    by_structure = defaultdict(list)
    for path in tree.paths:
        structure = structure_of(path.parent.name)
        if structure and is_image(path):
            by_structure[structure].append(path)
    masks: dict[str, dict[str, Path]] = defaultdict(dict)
    for structure, paths in by_structure.items():
        own = [path for path in paths if name_of(path)]
        for name, path in one_each(own, tree.root, lambda path: name_of(path) or "", _in("masks", 2)).items():
            masks[name][structure] = path
    drawings = [path for path in tree.paths if path.suffix.lower() == ".pfs" and name_of(path)]
    outlines = one_each(drawings, tree.root, lambda path: name_of(path) or "", _in("landmarks", 1))
    return Scr(masks, outlines, frozenset(path for paths in by_structure.values() for path in paths))


def structure_of(label: str) -> str | None:
    """Return the structure that a folder or an outline is called after, with blanks or underscores."""
    return spelled(STRUCTURES, label, lambda text: canonical(text.replace("_", " ")))


def read_outlines(path: Path) -> dict[str, Polygons]:
    """Return structure -> outline, from sections `[label=right lung]` of points `{ x, y }`.

    Raises:
        DatasetError: no section, an unknown structure, or fewer than three points of one.
    """
    _, *parts = SECTION.split(read_text(path))
    if not parts:
        raise DatasetError(path, "no section [label=...] in it", "Get the file from SCR again")
    outlines = {}
    for label, text in zip(parts[::2], parts[1::2], strict=True):
        structure = structure_of(label)
        points = [(float(y), float(x)) for x, y in POINT.findall(text)]
        if structure is None or len(points) < 3:
            problem = f"{label!r} with {len(points)} points is no outline of a known structure"
            raise DatasetError(path, problem, f"Known are {', '.join(STRUCTURES)}; get the file from SCR again")
        outlines[structure] = Polygons([points], FRAME, f"{path}, {label}")
    return outlines


def draw_missing(scr: Scr, images: Mapping[str, Path], drawn: DrawnMasks) -> dict[str, dict[str, str]]:
    """Return image -> structure -> mask: SCR's files, outlines drawn where there is none, and both sides joined."""
    for name, image in images.items():
        own = scr.masks.get(name, {})
        outlines = read_outlines(scr.outlines[name]) if name in scr.outlines else {}
        for structure in outlines.keys() - own.keys():
            drawn.add(image, structure, outlines[structure])
        for whole, sides in JOINED.items():
            if own.keys() >= set(sides):
                drawn.add(image, whole, MaskFiles([own[side] for side in sides]))
            elif outlines.keys() >= set(sides):
                both = [outline for side in sides for outline in outlines[side].outlines]
                drawn.add(image, whole, Polygons(both, FRAME, str(scr.outlines[name])))
    made = drawn.draw()
    return {
        name: {structure: str(path) for structure, path in scr.masks.get(name, {}).items()} | made.get(image, {})
        for name, image in images.items()
    }


def _in(folder: str, above: int) -> Callable[[Path], bool]:
    """Whether a file lies in a folder of this name, so many levels above it."""
    return lambda path: len(path.parts) > above and path.parts[-1 - above] == folder
