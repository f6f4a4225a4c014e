"""Finds the files of a data set by indexing its folder once; mirrors differ in intermediate folders."""

import os
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath

from ..errors import DatasetError

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".jp2"),
    *(".dcm", ".dicom", ".nii", ".nii.gz", ".mha", ".mhd", ".img"),
)
VOLUME_SUFFIXES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr", ".npz")
CLUTTER = {"__MACOSX", "Thumbs.db"}


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


def all_files(root: Path, skip: Iterable[Path] = ()) -> list[Path]:
    """Return every file below a folder in sorted order, without hidden files and clutter.

    Links to folders are followed. `skip` names folders to leave out.
    """
    left_out = {str(folder) for folder in skip}
    found = []
    for folder, names, files in os.walk(root, followlinks=True):
        names[:] = sorted(n for n in names if not _clutter(n) and str(Path(folder, n)) not in left_out)
        found += [Path(folder, name) for name in files if not _clutter(name)]
    return sorted(found)


def images_of(files: Iterable[Path]) -> list[Path]:
    """Keep the files that are images by suffix, or DICOM by content where there is no known suffix."""
    return [path for path in files if path.name.lower().endswith(SUFFIXES) or _is_nameless_dicom(path)]


def volumes_of(files: Sequence[Path]) -> list[Path]:
    """Return the files that are volumes by suffix, and the folders whose files are slices in DICOM."""
    alone = [path for path in files if path.name.lower().endswith(VOLUME_SUFFIXES)]
    others = defaultdict(list)
    for path in files:
        if not path.name.lower().endswith(VOLUME_SUFFIXES):
            others[path.parent].append(path)
    series = [folder for folder, listed in others.items() if any(_is_slice(path) for path in listed)]
    return sorted([*alone, *series])


def find_file(by_name: Mapping[str, Path], names: Sequence[str]) -> Path | None:
    """Return the first file of one of these names, as it is or packed (.gz, .zip); None where there is none."""
    candidates = (name + packed for name in names for packed in ("", ".gz", ".zip"))
    return next((by_name[name] for name in candidates if name in by_name), None)


def stem(name: str) -> str:
    """Return a file name without its suffix, `.nii.gz` counting as one."""
    lower = name.lower()
    suffix = next((suffix for suffix in (*SUFFIXES, *VOLUME_SUFFIXES) if lower.endswith(suffix)), "")
    if suffix == ".nii" or not suffix:
        return name if not suffix else name[:-4]
    return name[: -len(suffix)]


def index_names(names: Iterable[str]) -> dict[str, str]:
    """Map every way of naming a file to how a table names it, for `look_up`.

    A name without its folder, or without its suffix too, serves where only one file has it.
    """
    ways = {name: {name, PurePath(name).name, stem(PurePath(name).name)} for name in names}
    counts = Counter(way for keys in ways.values() for way in keys)
    return {way: name for name, keys in ways.items() for way in keys if counts[way] == 1}


def look_up(index: Mapping[str, str], path: Path, *bases: Path) -> str | None:
    """Return how a table names a file: by its path below one of the `bases`, by its file name, or by its stem."""
    below = [path.relative_to(base).as_posix() for base in bases if path.is_relative_to(base)]
    return next((index[way] for way in (*below, path.name, stem(path.name)) if way in index), None)


def _clutter(name: str) -> bool:
    return name.startswith(".") or name in CLUTTER


def _is_slice(path: Path) -> bool:
    # Archives name slices by their UID or number; the first that tells is enough.
    return path.suffix.lower() in (".dcm", ".dicom", ".ima") or _is_nameless_dicom(path)


def _is_nameless_dicom(path: Path) -> bool:
    # Archives name DICOM files by their UID; text beside them must not be taken for images.
    if path.suffix.lower() in (".csv", ".txt", ".json", ".gz", ".zip", ".xlsx", ".md", ".pdf", ".xml", ".yaml"):
        return False
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False
