"""The images that a data set's tables name, found below a folder by a name that each has to itself."""

from collections.abc import Callable, Collection
from pathlib import Path

from ...files.errors import DatasetError
from ...files.notices import add_notice, first_few
from .copies import first_few_below, one_each
from .suffixes import stem
from .tree import Tree


def stem_of(path: Path) -> str:
    """Return a file's name without suffix, since mirrors keep names and not formats."""
    return stem(path.name)


def named_images(
    tree: Tree,
    named: Collection[str],
    tables: str,
    remedy: str,
    key: Callable[[Path], str | None] = stem_of,
    may_lack: Collection[str] = (),
) -> dict[str, Path]:
    """Return name -> file, in the order of the names; say which images are in no table, and which are not here.

    Args:
        tree: files of the data set.
        named: names of the tables, each once.
        tables: file names of them, for messages.
        remedy: where the images are obtained.
        key: gives a file's name in the data set; None where it has none.
        may_lack: names that are known to be missing.

    Raises:
        DatasetError: no image is here, or different files of one name are.
    """
    wanted = frozenset(named)
    keys = {path: key(path) or "" for path in tree.images()}
    there = [path for path, name in keys.items() if name in wanted]
    found = one_each(there, tree.root, keys.__getitem__, lambda path: 0)
    if not found:
        problem = f"none of the {len(wanted):,} images of {tables} is there ({first_few(named)})"
        raise DatasetError(tree.root, problem, remedy)
    if strangers := [path for path, name in keys.items() if name not in wanted]:
        lost = first_few_below(tree.root, strangers)
        add_notice(f"{len(strangers):,} images are not in {tables} and left out ({lost})")
    if absent := [name for name in named if name not in found and name not in may_lack]:
        add_notice(f"{len(absent):,} images of {tables} are not here ({first_few(absent)})")
    return {name: found[name] for name in named if name in found}
