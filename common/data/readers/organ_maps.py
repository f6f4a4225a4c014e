"""The folder of label maps, one per CT volume, that a reader of CT takes."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ..errors import DatasetError
from .tables import some
from .tree import all_files, stem, volumes_of

ORGANS = "organs"  # the one key of `Record.masks` in a corpus of CT volumes


class OrganMaps:
    """Finds the label map of a volume by its path below the root, or by its name where that is unique.

    Args:
        folder: of label maps (NIfTI, MHA, NRRD) named like their volumes, whatever the suffix; None has none.
        root: of the volumes.
        volumes: all of them; a name that two of them share tells neither's label map.
        option: the reader's option that named the folder.

    Raises:
        DatasetError: a folder that is missing or holds no label map.
    """

    def __init__(self, folder: Path | None, root: Path, volumes: Iterable[Path], option: str = "masks"):
        self.root = root
        files = [] if folder is None else volumes_of(all_files(folder))
        if folder is not None and not files:
            problem = "no such folder" if not folder.is_dir() else "no label map in it"
            raise DatasetError(
                folder,
                problem,
                f"Make them (scripts/segment_ct.py), correct the option {option}, or leave it out to do without",
            )
        self._by_path = {} if folder is None else {place_below(folder, path): path for path in files}
        shared = {
            name for paths in (files, volumes) for name, n in Counter(stem(p.name) for p in paths).items() if n > 1
        }
        self._by_name = {name: path for path in files if (name := stem(path.name)) not in shared}
        self._found: set[Path] = set()
        self._bare: list[str] = []

    def find(self, image: Path) -> dict[str, str]:
        """Return `Record.masks` of one volume: its label map, or nothing."""
        place = self._by_path.get(place_below(self.root, image)) or self._by_name.get(stem(image.name))
        if place is None:
            self._bare.append(image.name)
            return {}
        self._found.add(place)
        return {ORGANS: str(place)}

    @property
    def structures(self) -> tuple[str, ...]:
        """`Corpus.structures`."""
        return (ORGANS,) if self._found else ()

    def notices(self) -> list[str]:
        """Say which volumes have none, and which label maps belong to no volume."""
        if not self._by_path:
            return []
        lost = sorted(path.name for path in set(self._by_path.values()) - self._found)
        lines = [f"{len(lost):,} label maps belong to no volume here ({some(lost)})"] * bool(lost)
        return lines + [f"{len(self._bare):,} volumes have no label map ({some(self._bare)})"] * bool(self._bare)


def inside(root: Path, option: str | None) -> Path | None:
    """Return the folder that an option names, relative to the root; None where it names none."""
    return None if option is None else root / Path(option).expanduser()


def skipped(folders: Iterable[Path | None]) -> list[Path]:
    """Return the folders in which no volume is to be looked for."""
    return [folder for folder in folders if folder is not None]


def place_below(root: Path, path: Path) -> str:
    """Return the path below the root without suffix; the root itself goes by its own name."""
    return (path.relative_to(root).parent / stem(path.name)).as_posix()
