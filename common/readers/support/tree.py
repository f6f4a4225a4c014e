"""Finds the files of a data set by indexing its folder once; mirrors differ in intermediate folders."""

import os
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice
from .copies import equal_files, first_few_below, without_nested
from .suffixes import has_known_suffix, is_image, is_slice, is_volume

DRAWN = "drawn_masks"  # folder in a root that a reader draws masks into: they are nothing of the publisher's
CLUTTER = {"__MACOSX", "Thumbs.db", DRAWN}


def require_root(root: str | os.PathLike[str], where: str) -> Path:
    """Return the root as an absolute path.

    Args:
        root: the option `root` of the reader.
        where: how to obtain the data.

    Raises:
        DatasetError: it does not exist or is not a folder.
    """
    path = Path(root).expanduser()
    if not path.is_dir():
        problem = "is not a folder" if path.exists() else "no such folder"
        # The reader cannot know which key of a recipe named the folder.
        remedy = "Correct the key that names it (dataset_dir, probe_dir ...)"
        if path.name == "phantom" and not path.exists():
            remedy += f", or make it: python scripts/make_phantom.py {shlex.quote(str(path))}"
        raise DatasetError(path, problem, f"{remedy}. {where}")
    return path.resolve()


@dataclass(frozen=True, slots=True)
class _Place:
    """A path, what it leads to (device and inode), and whether a link is on the way."""

    path: Path
    file: tuple[int, int]
    linked: bool


class Tree:
    """The files below a folder, in sorted order, without hidden files and clutter.

    Links are followed, also to other places; a file counts once, whatever leads to it.

    Args:
        root: the folder.
        skip: folders to leave out; None is none.
    """

    def __init__(self, root: Path, skip: Iterable[Path | None] = ()):
        self.root = root
        left_out = {os.path.realpath(folder) for folder in skip if folder is not None}
        places = list(_walk(str(root), os.path.realpath(root), left_out, (), set(), False)) if root.is_dir() else []
        self.paths = [place.path for place in places]
        by_file = defaultdict(list)
        for place in places:
            by_file[place.file].append(place)
        # path -> all that lead to the same file
        self._same = {place.path: group for group in by_file.values() if len(group) > 1 for place in group}
        self._by_name: dict[str, list[Path]] | None = None

    def images(self) -> list[Path]:
        """Return the images, copies in nested folders left out."""
        return without_nested(self._once([path for path in self.paths if is_image(path)]), self.root)

    def volumes(self) -> list[Path]:
        """Return the files that are volumes by suffix, and the folders whose files are slices in DICOM."""
        alone = [path for path in self.paths if is_volume(path)]
        others = defaultdict(list)
        for path in self._once([path for path in self.paths if not is_volume(path)]):
            others[path.parent].append(path)
        series = [folder for folder, listed in others.items() if any(is_slice(path) for path in listed)]
        return without_nested(sorted([*self._once(alone), *series]), self.root)

    def names(self, path: Path) -> list[Path]:
        """Return a file's path, and then all others that lead to the file."""
        return [path, *(place.path for place in self._same.get(path, ()) if place.path != path)]

    def find(self, names: Sequence[str]) -> Path | None:
        """Return the first file of one of these names, as it is or packed (.gz, .zip); None where there is none.

        Of several of one name the nearest to the root is taken, and said unless all have the same bytes.

        Raises:
            DatasetError: several different ones are equally near.
        """
        if self._by_name is None:
            self._by_name = defaultdict(list)
            for path in self.paths:
                self._by_name[path.name].append(path)
        candidates = (name + packed for name in names for packed in ("", ".gz", ".zip"))
        found = next((self._by_name[name] for name in candidates if name in self._by_name), [])
        if len(found) < 2 or len(equal_files(found)) == 1:
            return found[0] if found else None
        depth = min(len(path.parts) for path in found)
        nearest = [path for path in found if len(path.parts) == depth]
        if len(equal_files(nearest)) > 1:
            problem = f"it holds different files of one name ({first_few_below(self.root, nearest)})"
            raise DatasetError(self.root, problem, "Keep the one that is meant")
        others = [path for path in found if path != nearest[0]]
        add_notice(
            f"{nearest[0].relative_to(self.root)} is read and not the different {first_few_below(self.root, others)}"
        )
        return nearest[0]

    def _once(self, paths: Sequence[Path]) -> list[Path]:
        """Keep one path of each file: one with a known suffix, which a link's target may lack, and rather no link."""
        if not self._same:
            return list(paths)
        wanted = set(paths)
        best = {}
        for path in paths:
            group = [place for place in self._same.get(path, ()) if place.path in wanted]
            best[path] = (
                min(group, key=lambda place: (not has_known_suffix(place.path), place.linked)).path if group else path
            )
        more = [path for path in paths if best[path] != path]
        if more:
            add_notice(
                f"{len(more)} more names of the same files (links) left out ({first_few_below(self.root, more)})"
            )
        return [path for path in paths if best[path] == path]


def _walk(
    folder: str, real: str, skip: set[str], above: tuple[str, ...], seen: set[str], linked: bool
) -> Iterator[_Place]:
    """Give the files of a folder in the order of their paths.

    Args:
        folder: as reached.
        real: where it lies; a link to itself or to one `above` is a cycle.
        skip: real folders to leave out.
        above: real folders on the way.
        seen: real folders that were walked; where one is walked again its links are not followed, so this ends.
        linked: a link is on the way.
    """
    again, above = real in seen, (*above, real)
    seen.add(real)
    try:
        with os.scandir(folder) as scan:
            entries = sorted((entry for entry in scan if not _clutter(entry.name)), key=lambda entry: entry.name)
    except OSError as error:
        add_notice(f"{folder} cannot be listed and is left out ({error.strerror})")
        return
    device = Path(folder).stat().st_dev
    for entry in entries:
        link = entry.is_symlink()
        if entry.is_dir():
            target = os.path.realpath(entry.path) if link else f"{real}/{entry.name}"
            if target not in skip and target not in above and not (link and again):
                yield from _walk(entry.path, target, skip, above, seen, linked or link)
        elif link:
            yield _Place(Path(entry.path), _target(entry), True)
        else:
            yield _Place(Path(entry.path), (device, entry.inode()), linked)


def _target(entry: os.DirEntry[str]) -> tuple[int, int]:
    try:
        found = entry.stat()
    except OSError:  # it leads nowhere: what reads it says so
        found = entry.stat(follow_symlinks=False)
    return found.st_dev, found.st_ino


def _clutter(name: str) -> bool:
    return name.startswith(".") or name in CLUTTER
