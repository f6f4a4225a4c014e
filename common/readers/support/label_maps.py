"""The folder of label maps, one per CT volume, that a reader of CT takes."""

from collections.abc import Sequence
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice
from .copies import digest_of, first_few_below
from .matching import match
from .suffixes import stem
from .tree import Tree


class LabelMaps:
    """Finds the label map of a volume by its path below the root, or by the end of it that is unique.

    Args:
        folder: of label maps (NIfTI, MHA, NRRD) named like their volumes, whatever the suffix; None has none.
        root: of the volumes.
        volumes: all of them.

    Raises:
        DatasetError: a folder that is missing or holds no label map, or one that may belong to several volumes.
    """

    def __init__(self, folder: Path | None, root: Path, volumes: Sequence[Path]):
        self.root = root
        files = [] if folder is None else Tree(folder).volumes()
        if folder is not None and not files:
            problem = "no such folder" if not folder.is_dir() else "no label map in it"
            remedy = "Make them (scripts/segment_ct.py), correct the option masks, or leave it out to do without"
            raise DatasetError(folder, problem, remedy)
        self.folder = folder
        by_name = {} if folder is None else {str(path.relative_to(folder)): path for path in files}
        # A volume may be a folder whose name holds points, and label maps are named by all of it.
        found = match(by_name, volumes, (root,), folder, suffixes=False)
        found.refuse_contrary(lambda name: digest_of(by_name[name]), folder)
        self._map_of = {volume: by_name[name] for volume, name in found.name_of.items()}
        self._lost = [by_name[name] for name in found.lost]
        self._bare: list[Path] = []

    def find(self, image: Path) -> str | None:
        """Return `Record.label_map` of one volume."""
        place = self._map_of.get(image)
        if place is None:
            self._bare.append(image)
            return None
        return str(place)

    def add_notices(self) -> None:
        """Say which volumes have none, once all were asked for, and which label maps belong to no volume."""
        if self.folder is None:
            return
        if self._lost:
            lost = first_few_below(self.folder, self._lost)
            add_notice(f"{len(self._lost):,} label maps belong to no volume here ({lost})")
        if self._bare:
            add_notice(f"{len(self._bare):,} volumes have no label map ({first_few_below(self.root, self._bare)})")


def inside(root: Path, option: str | None) -> Path | None:
    """Return the folder that an option names, relative to the root; None where it names none."""
    return None if option is None else root / Path(option).expanduser()


def place_below(root: Path, path: Path) -> str:
    """Return the path below the root without suffix; the root itself goes by its own name."""
    return (path.relative_to(root).parent / stem(path.name)).as_posix()
